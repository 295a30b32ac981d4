//! Times and numbers as people write them, and texts cut to a width. Must not know what they are about.
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// A clock: `0:52`, `1:05:02`.
pub fn clock(seconds: f64) -> String {
    let whole = seconds.max(0.0) as u64;
    if whole < 3600 {
        format!("{}:{:02}", whole / 60, whole % 60)
    } else {
        format!("{}:{:02}:{:02}", whole / 3600, whole / 60 % 60, whole % 60)
    }
}

/// A length of time: `0.4 ms`, `58.1 s`, `1:05.2`, `2:05:11`.
pub fn length(seconds: f64) -> String {
    if seconds < 0.0095 {
        format!("{:.1} ms", seconds.max(0.0) * 1e3)
    } else if seconds < 0.0995 {
        format!("{:.0} ms", seconds * 1e3)
    } else if seconds < 59.95 {
        format!("{seconds:.1} s")
    } else if seconds < 3600.0 {
        format!("{}:{:04.1}", seconds as u64 / 60, seconds % 60.0)
    } else {
        clock(seconds)
    }
}

/// A time to come, which is not known so well: `8 s`, `about` a minute as `1:10`.
pub fn rough(seconds: f64) -> String {
    let seconds = if seconds < 20.0 { seconds.ceil() } else { (seconds / 5.0).ceil() * 5.0 };
    if seconds < 60.0 {
        format!("{seconds:.0} s")
    } else {
        clock(seconds)
    }
}

/// A number with gaps between thousands, above 9999.
pub fn number(number: u64) -> String {
    let digits = number.to_string();
    if digits.len() < 5 {
        return digits;
    }
    let mut out = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place) % 3 == 0 {
            out.push('\u{a0}');
        }
        out.push(digit);
    }
    out
}

/// A number of things: `1 task`, `2 tasks`.
pub fn count(of: u64, one: &str, many: &str) -> String {
    format!("{} {}", number(of), if of == 1 { one } else { many })
}

/// How many columns a text takes.
pub fn width(text: &str) -> usize {
    text.width()
}

/// A text in at most so many columns, without anything that would move the cursor.
pub fn cut(text: &str, columns: usize) -> String {
    let mut out = String::new();
    let mut used = 0;
    for letter in text.chars() {
        let letter = if letter.is_control() || is_direction(letter) { '\u{fffd}' } else { letter };
        let wide = letter.width().unwrap_or(0);
        if used + wide > columns {
            while used + 1 > columns {
                let Some(last) = out.pop() else { return out };
                used -= last.width().unwrap_or(0);
            }
            if columns > 0 {
                out.push('~');
            }
            return out;
        }
        used += wide;
        out.push(letter);
    }
    out
}

/// Letters that turn the direction of what follows.
fn is_direction(letter: char) -> bool {
    matches!(letter, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{2028}' | '\u{2029}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_read_as_people_write_them() {
        assert_eq!([clock(52.9), clock(3725.0)], ["0:52", "1:02:05"]);
        assert_eq!(
            [length(0.0004), length(0.05), length(58.13), length(65.2)],
            ["0.4 ms", "50 ms", "58.1 s", "1:05.2"]
        );
        assert_eq!([rough(7.2), rough(33.0), rough(62.0)], ["8 s", "35 s", "1:05"]);
        assert_eq!([number(9999), number(1_234_567)], ["9999", "1\u{a0}234\u{a0}567"]);
    }

    #[test]
    fn a_cut_text_fits_and_moves_no_cursor() {
        assert_eq!(cut("abcdef", 4), "abc~");
        assert_eq!(cut("日本語", 4), "日~");
        assert_eq!(cut("a\x1b[2J\rb\u{202e}", 20), "a\u{fffd}[2J\u{fffd}b\u{fffd}");
        for columns in 0..8 {
            assert!(width(&cut("日a本b語", columns)) <= columns);
        }
    }
}
