//! Rows as columns of small numbers, each beside the one before: what a chunk of a record is made of.
//! Owns this format, both ways. Must not know where rows come from.

/// Stands for "no node".
pub const NO_NODE: u32 = u32::MAX;

/// The first byte of a chunk: another one for each other format.
const FORMAT: u8 = 1;
const COLUMNS: usize = 9;

/// An attempt that has ended. Times are microseconds since the run began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    /// Its node.
    pub node: u32,
    /// The branch in which it ran.
    pub branch: u64,
    /// 0 for the first try.
    pub attempt: u32,
    /// How it ended: `End` of the scheduler as a number, or one of a reader's own.
    pub outcome: u8,
    /// The worker's number, or a negative one for another place.
    pub worker: i32,
    /// The node whose end made it ready, or [`NO_NODE`].
    pub released_by: u32,
    /// When it could have begun.
    pub ready: u64,
    /// When its body began.
    pub start: u64,
    /// When its body ended.
    pub end: u64,
}

/// Rows in the order in which they were added.
#[derive(Debug, Default)]
pub struct Rows {
    columns: [Vec<u8>; COLUMNS],
    count: u32,
    node: u32,
    branch: u64,
    ready: u64,
}

impl Rows {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.count as usize
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Adds one.
    pub fn push(&mut self, row: &Row) {
        let columns = &mut self.columns;
        write(&mut columns[0], signed(i64::from(row.node) - i64::from(self.node)));
        write(&mut columns[1], signed(row.branch.wrapping_sub(self.branch) as i64));
        write(&mut columns[2], u64::from(row.attempt));
        columns[3].push(row.outcome);
        write(&mut columns[4], signed(i64::from(row.worker)));
        // Most are released by a node near by.
        let by =
            if row.released_by == NO_NODE { 0 } else { 1 + signed(i64::from(row.released_by) - i64::from(row.node)) };
        write(&mut columns[5], by);
        write(&mut columns[6], signed(row.ready.wrapping_sub(self.ready) as i64));
        write(&mut columns[7], signed(row.start.wrapping_sub(row.ready) as i64));
        write(&mut columns[8], signed(row.end.wrapping_sub(row.start) as i64));
        (self.node, self.branch, self.ready) = (row.node, row.branch, row.ready);
        self.count += 1;
    }

    /// All of them as bytes; none are left, and their room is kept for the next ones.
    pub fn take(&mut self) -> Vec<u8> {
        let size = self.columns.iter().map(Vec::len).sum::<usize>();
        let mut bytes = Vec::with_capacity(size + 64);
        bytes.push(FORMAT);
        write(&mut bytes, u64::from(self.count));
        for column in &self.columns {
            write(&mut bytes, column.len() as u64);
        }
        for column in &mut self.columns {
            bytes.extend_from_slice(column);
            column.clear();
        }
        (self.count, self.node, self.branch, self.ready) = (0, 0, 0, 0);
        bytes
    }
}

/// The rows of a chunk; `None` if it is damaged, or of another format.
pub fn read(bytes: &[u8]) -> Option<Vec<Row>> {
    let (format, mut rest) = bytes.split_first()?;
    if *format != FORMAT {
        return None;
    }
    let count = number(&mut rest)?;
    let mut sizes = [0_usize; COLUMNS];
    for size in &mut sizes {
        *size = usize::try_from(number(&mut rest)?).ok()?;
    }
    let mut columns = [&[][..]; COLUMNS];
    for (column, size) in columns.iter_mut().zip(sizes) {
        (*column, rest) = rest.split_at_checked(size)?;
    }
    if !rest.is_empty() || count != sizes[3] as u64 {
        return None;
    }
    let mut rows = Vec::with_capacity(sizes[3]);
    let (mut node, mut branch, mut ready) = (0_i64, 0_u64, 0_u64);
    for outcome in columns[3] {
        node = node.checked_add(from_signed(number(&mut columns[0])?))?;
        branch = branch.wrapping_add(from_signed(number(&mut columns[1])?) as u64);
        let attempt = u32::try_from(number(&mut columns[2])?).ok()?;
        let worker = i32::try_from(from_signed(number(&mut columns[4])?)).ok()?;
        let released_by = match number(&mut columns[5])? {
            0 => NO_NODE,
            by => u32::try_from(node.checked_add(from_signed(by - 1))?).ok()?,
        };
        ready = ready.wrapping_add(from_signed(number(&mut columns[6])?) as u64);
        let start = ready.wrapping_add(from_signed(number(&mut columns[7])?) as u64);
        let end = start.wrapping_add(from_signed(number(&mut columns[8])?) as u64);
        let node = u32::try_from(node).ok()?;
        rows.push(Row { node, branch, attempt, outcome: *outcome, worker, released_by, ready, start, end });
    }
    let is_used_up = columns.iter().enumerate().all(|(index, column)| index == 3 || column.is_empty());
    is_used_up.then_some(rows)
}

/// A signed number as one that is small when it is near zero.
fn signed(number: i64) -> u64 {
    ((number << 1) ^ (number >> 63)) as u64
}

fn from_signed(number: u64) -> i64 {
    (number >> 1) as i64 ^ -((number & 1) as i64)
}

/// Seven bits a byte, the last one without its highest bit.
#[inline]
fn write(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

fn number(bytes: &mut &[u8]) -> Option<u64> {
    let mut found = 0_u64;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        found |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(found);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::{read, Row, Rows, NO_NODE};

    fn some_rows() -> Vec<Row> {
        let row = |node, branch, released_by, ready| Row {
            node,
            branch,
            attempt: node % 3,
            outcome: (node % 4) as u8,
            worker: node as i32 % 5 - 2,
            released_by,
            ready,
            start: ready + 7,
            end: ready + 7 + u64::from(node) * 1000,
        };
        vec![
            row(0, 0, NO_NODE, 0),
            row(5, u64::MAX, 0, 1 << 40),
            row(u32::MAX - 1, 3, 5, 12),
            row(7, 3, u32::MAX - 1, 13),
        ]
    }

    fn chunk(rows: &[Row]) -> Vec<u8> {
        let mut all = Rows::default();
        rows.iter().for_each(|row| all.push(row));
        all.take()
    }

    #[test]
    fn rows_come_back_as_they_were() {
        let rows = some_rows();
        assert_eq!(read(&chunk(&rows)), Some(rows));
        assert_eq!(read(&chunk(&[])), Some(Vec::new()));
    }

    #[test]
    fn times_that_go_backwards_are_kept() {
        let row = Row { start: 3, end: 2, ready: 9, ..some_rows()[0] };
        assert_eq!(read(&chunk(&[row])), Some(vec![row]));
    }

    #[test]
    fn a_chunk_that_is_cut_or_lengthened_is_no_chunk() {
        let bytes = chunk(&some_rows());
        for length in 0..bytes.len() {
            assert_eq!(read(&bytes[..length]), None, "{length} bytes of {}", bytes.len());
        }
        assert_eq!(read(&[&bytes[..], &[0]].concat()), None);
    }

    #[test]
    fn a_usual_row_takes_few_bytes() {
        let rows: Vec<Row> = (0..1000_u32)
            .map(|index| Row {
                node: index,
                branch: u64::from(index),
                attempt: 0,
                outcome: 0,
                worker: 1,
                released_by: NO_NODE,
                ready: 50,
                start: 100 + u64::from(index) * 20,
                end: 110 + u64::from(index) * 20,
            })
            .collect();
        assert!(chunk(&rows).len() <= 12 * rows.len());
    }
}
