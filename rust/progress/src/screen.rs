//! A block of lines at the end of a terminal that others write to as well, as bytes to be written.
//!
//! Owns where the cursor is. It rests at the block's first column, so that what is written past us (C code, another
//! process) begins a line of its own and is never erased with the block, and so that erasing needs no count of rows,
//! which a resize would make wrong. While somebody's line is open the block is away. Must not know what the lines say.

/// What is on the terminal.
#[derive(Debug, Default)]
pub struct Screen {
    /// The lines that are there, below the cursor.
    drawn: Vec<String>,
    columns: usize,
    /// Somebody has begun a line and not ended it.
    open: bool,
    /// So many are writing, or reading what is typed, right now.
    others: usize,
}

impl Screen {
    /// Somebody is about to write or read: what must be written first.
    pub fn enter(&mut self) -> &'static str {
        self.others += 1;
        self.erase()
    }

    /// Whoever entered has done so; `last`: the last byte that was written, if any was.
    pub fn leave(&mut self, last: Option<u8>) {
        self.others -= 1;
        if let Some(last) = last {
            self.open = last != b'\n';
        }
    }

    /// Whether there is a line that was begun and not ended.
    pub fn is_open(&self) -> bool {
        self.open
    }

    /// Whether somebody is writing.
    pub fn is_in_use(&self) -> bool {
        self.others > 0
    }

    /// What must be written so that nothing of the block is left.
    pub fn erase(&mut self) -> &'static str {
        if self.drawn.is_empty() {
            return "";
        }
        self.drawn.clear();
        "\r\x1b[J"
    }

    /// What must be written to have these lines there; "" when they are, or it is not the time.
    pub fn draw(&mut self, lines: &[String], columns: usize) -> String {
        if self.open || self.others > 0 || lines.is_empty() || (self.drawn == lines && self.columns == columns) {
            return String::new();
        }
        // A narrower terminal may have broken the old lines into more rows; all of them are below the cursor.
        let first = if self.columns == columns { "\r" } else { "\r\x1b[J" };
        (self.drawn, self.columns) = (lines.to_vec(), columns);
        let up = if lines.len() > 1 { format!("\x1b[{}A", lines.len() - 1) } else { String::new() };
        format!("{first}{}\x1b[J{up}\r", lines.join("\x1b[K\r\n"))
    }
}

#[cfg(test)]
mod tests {
    use super::Screen;

    fn lines(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|text| (*text).to_owned()).collect()
    }

    #[test]
    fn the_cursor_rests_at_the_first_column_of_the_block() {
        let mut screen = Screen::default();
        assert_eq!(screen.draw(&lines(&["a", "b"]), 80), "\r\x1b[Ja\x1b[K\r\nb\x1b[J\x1b[1A\r");
        assert_eq!(screen.draw(&lines(&["a", "b"]), 80), "");
        assert_eq!(screen.draw(&lines(&["c"]), 80), "\rc\x1b[J\r");
    }

    #[test]
    fn nothing_is_drawn_while_a_line_is_open_or_somebody_writes() {
        let mut screen = Screen::default();
        screen.draw(&lines(&["a"]), 80);
        assert_eq!(screen.enter(), "\r\x1b[J");
        assert_eq!(screen.draw(&lines(&["b"]), 80), "");
        screen.leave(Some(b'x'));
        assert_eq!(screen.draw(&lines(&["b"]), 80), "");
        assert_eq!((screen.enter(), screen.is_open()), ("", true));
        screen.leave(Some(b'\n'));
        assert_eq!(screen.draw(&lines(&["b"]), 80), "\rb\x1b[J\r");
    }
}
