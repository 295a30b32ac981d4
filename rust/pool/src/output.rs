//! What a task writes to descriptors 1 and 2 around Python: C code, subprocesses, `os.write`.
//!
//! Owns noticing it, so that the report of the task that wrote can say up to where. Must not know what is done with it.
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use crate::os;

/// A flag of reports: the effects are followed by the two positions up to which this task's output goes.
pub const DESCRIPTORS: u32 = 4;

/// Descriptors 1 and 2 of this process, and how far they had been written.
pub struct OutputWatch {
    spare: [OwnedFd; 2],
    input: OwnedFd,
    seen: [i64; 2],
}

impl OutputWatch {
    /// Takes them as they are now. From here on what C code prints is in the file at the end of each line, so a crash
    /// loses no more than half a one.
    pub fn new() -> io::Result<OutputWatch> {
        os::line_buffer_stdout();
        let spare = [os::duplicate(1)?, os::duplicate(2)?];
        let seen = [os::position(1).unwrap_or(0), os::position(2).unwrap_or(0)];
        let input = os::duplicate(0)?;
        Ok(OutputWatch { spare, input, seen })
    }

    /// After a task, however short: the new positions if something was written. A descriptor that was closed is put back,
    /// for the tasks to come.
    ///
    /// # Errors
    /// The link is closed, too.
    pub fn look(&mut self, link: BorrowedFd<'_>) -> io::Result<Option<[i64; 2]>> {
        os::flush_stdout();
        let mut now = self.seen;
        for (index, spare) in self.spare.iter().enumerate() {
            let fd = index as i32 + 1;
            now[index] = match os::position(fd) {
                Some(position) if position >= self.seen[index] => position,
                _ => {
                    os::check_open(link)?; // a body that closes its standard output may have closed everything
                    let _ = os::replace(fd, spare.as_fd());
                    let _ = os::replace(0, self.input.as_fd());
                    os::position(fd).unwrap_or(self.seen[index])
                }
            };
        }
        let grew = now != self.seen;
        self.seen = now;
        Ok(grew.then_some(now))
    }
}
