//! The thread that shows a run, and what others share with it.
//!
//! Owns when something is shown and where. It never needs the interpreter, so the clock goes on while C code holds its
//! lock. A terminal or pipe that is gone ends the display and not the run. Must not know what the lines say.
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use graflow_pool::{Reactor, Roster};
use graflow_scheduler::Micros;

use crate::figures::Figures;
use crate::plain::Plain;
use crate::screen::Screen;
use crate::tally::Tally;
use crate::{block, words};

/// Between two looks.
const TICK: Duration = Duration::from_millis(100);
/// A run that is over by then shows nothing but its end, in microseconds.
const DELAY: Micros = 500_000;

/// What a display looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// A block at the end of a terminal.
    Block,
    /// Lines for a log.
    Plain,
}

/// What a display is told when it is made.
#[derive(Clone, Debug)]
pub struct Options {
    /// The workflow's name.
    pub name: String,
    /// How it looks.
    pub mode: Mode,
    /// Whether more than ASCII can be shown.
    pub glyphs: bool,
    /// How many workers there may be.
    pub workers: u64,
    /// When the run began.
    pub began: Micros,
}

struct Shared {
    options: Options,
    /// What is written to.
    out: OwnedFd,
    tally: Mutex<Tally>,
    screen: Mutex<Screen>,
    plain: Mutex<Plain>,
    roster: Mutex<Option<Arc<Roster>>>,
    over: Mutex<Over>,
    changed: Condvar,
}

#[derive(Default)]
struct Over {
    is_closed: bool,
    /// Somebody waits for names that are wanted.
    has_wanted: bool,
    /// What is written to is gone.
    is_broken: bool,
}

/// The display of one run.
pub struct Display {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

fn now() -> u64 {
    Reactor::now()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Display {
    /// Begins to show a run on what that descriptor writes to.
    pub fn begin(options: Options, out: i32) -> std::io::Result<Display> {
        // SAFETY: duplicates a descriptor; the new one is nobody else's.
        let out = unsafe {
            let copy = libc::fcntl(out, libc::F_DUPFD_CLOEXEC, 3);
            if copy < 0 {
                return Err(std::io::Error::last_os_error());
            }
            OwnedFd::from_raw_fd(copy)
        };
        let tally = Tally::new(options.began);
        let mut plain = Plain::new();
        if options.mode == Mode::Plain {
            plain.begin(&words::cut(&options.name, 60), options.workers, std::process::id());
        }
        let shared = Arc::new(Shared {
            options,
            out,
            tally: Mutex::new(tally),
            screen: Mutex::default(),
            plain: Mutex::new(plain),
            roster: Mutex::default(),
            over: Mutex::default(),
            changed: Condvar::new(),
        });
        let for_thread = Arc::clone(&shared);
        let thread = std::thread::Builder::new().name("progress".into()).spawn(move || for_thread.show())?;
        Ok(Display { shared, thread: Mutex::new(Some(thread)) })
    }

    /// The counts, for a moment.
    pub fn tally(&self) -> MutexGuard<'_, Tally> {
        lock(&self.shared.tally)
    }

    /// Has it look at what the workers of a pool do.
    pub fn watch(&self, roster: Arc<Roster>) {
        *lock(&self.shared.roster) = Some(roster);
    }

    /// The run as it is now.
    pub fn figures(&self) -> Figures {
        self.shared.figures()
    }

    /// Waits until names are wanted; `None`: the run is over.
    pub fn wait_for_wanted(&self, timeout: Duration) -> Option<Vec<u32>> {
        let mut over = lock(&self.shared.over);
        if !over.is_closed && !over.has_wanted {
            over = self.shared.changed.wait_timeout(over, timeout).unwrap_or_else(PoisonError::into_inner).0;
        }
        if over.is_closed {
            return None;
        }
        over.has_wanted = false;
        drop(over);
        Some(self.tally().take_wanted())
    }

    /// Something happened that a log tells of, such as a retry.
    pub fn event(&self, kind: &str, text: &str) {
        if self.shared.options.mode == Mode::Plain {
            lock(&self.shared.plain).event(&self.shared.options.name, kind, text);
        }
    }

    /// Somebody else is about to write where this is shown, or to read what is typed: the block goes away.
    pub fn enter(&self) {
        let mut screen = lock(&self.shared.screen);
        let text = screen.enter();
        self.shared.write(text);
    }

    /// Whoever entered has done so; `last`: the last byte that was written, if any was.
    pub fn leave(&self, last: Option<u8>) {
        lock(&self.shared.screen).leave(last);
    }

    /// Ends the display, with these lines as the last. Waits for its thread, which never waits for the interpreter.
    pub fn close(&self, last: &str) {
        lock(&self.shared.over).is_closed = true;
        self.shared.changed.notify_all();
        if let Some(thread) = lock(&self.thread).take() {
            let _ = thread.join();
            let mut screen = lock(&self.shared.screen);
            let mut text = screen.erase().to_owned();
            if screen.is_open() && !last.is_empty() {
                text += "\n";
            }
            text += &lock(&self.shared.plain).take();
            text += last;
            self.shared.write(&text);
        }
    }
}

impl Drop for Display {
    fn drop(&mut self) {
        self.close("");
    }
}

impl Shared {
    fn show(&self) {
        // Signals are the program's: none may land here, where no handler of the interpreter's would be run for long.
        // SAFETY: changes this thread's mask only.
        unsafe {
            let mut all = std::mem::zeroed();
            libc::sigfillset(&mut all);
            libc::pthread_sigmask(libc::SIG_BLOCK, &all, std::ptr::null_mut());
        }
        loop {
            self.look();
            let over = lock(&self.over);
            if over.is_closed || over.is_broken {
                return;
            }
            // `changed` is told of the end as well as of names; being early once does no harm.
            drop(self.changed.wait_timeout(over, TICK));
            if lock(&self.over).is_closed {
                return;
            }
        }
    }

    fn figures(&self) -> Figures {
        let bodies = lock(&self.roster).as_ref().map(|roster| roster.running()).unwrap_or_default();
        let mut tally = lock(&self.tally);
        tally.figures(&self.options.name, self.options.workers, &bodies, now() / 1000)
    }

    fn look(&self) {
        let figures = self.figures();
        if figures.running.first().is_some_and(|busy| busy.task.is_empty() && busy.seconds > 0.05) {
            let mut over = lock(&self.over);
            over.has_wanted = true;
            self.changed.notify_all();
        }
        match self.options.mode {
            Mode::Plain => {
                let mut plain = lock(&self.plain);
                plain.look(&figures);
                let screen = lock(&self.screen);
                if !screen.is_open() && !screen.is_in_use() {
                    let text = plain.take();
                    self.write(&text);
                }
            }
            Mode::Block => {
                if now() / 1000 < self.options.began + DELAY || self.is_in_background() {
                    return;
                }
                let (columns, rows) = self.size();
                let lines = block::lines(&figures, columns, rows, self.options.glyphs);
                let mut screen = lock(&self.screen);
                let text = screen.draw(&lines, columns);
                self.write(&text);
            }
        }
    }

    /// Whether the terminal is another program's at the moment, after Ctrl-Z or `&`.
    fn is_in_background(&self) -> bool {
        // SAFETY: asks only; a descriptor that is no controlling terminal gives -1.
        let foreground = unsafe { libc::tcgetpgrp(self.out.as_raw_fd()) };
        // SAFETY: asks only.
        foreground > 0 && foreground != unsafe { libc::getpgrp() }
    }

    /// Columns and rows of the terminal.
    fn size(&self) -> (usize, usize) {
        // SAFETY: a plain structure that the call fills.
        let mut size: libc::winsize = unsafe { std::mem::zeroed() };
        // SAFETY: TIOCGWINSZ writes a winsize, which is what it is given.
        let answer = unsafe { libc::ioctl(self.out.as_raw_fd(), libc::TIOCGWINSZ, &mut size) };
        let known = answer == 0 && size.ws_col > 0;
        (if known { size.ws_col.into() } else { 80 }, if size.ws_row > 0 { size.ws_row.into() } else { 24 })
    }

    /// Writes all of a text; what is gone is not written to again.
    fn write(&self, text: &str) {
        let mut rest = text.as_bytes();
        while !rest.is_empty() {
            // SAFETY: reads `rest`, which lives as long as the call.
            let count = unsafe { libc::write(self.out.as_raw_fd(), rest.as_ptr().cast(), rest.len()) };
            if count > 0 {
                rest = &rest[count as usize..];
                continue;
            }
            let error = std::io::Error::last_os_error();
            match error.raw_os_error() {
                Some(libc::EINTR) => {}
                Some(libc::EAGAIN) => {
                    let mut entry = libc::pollfd { fd: self.out.as_raw_fd(), events: libc::POLLOUT, revents: 0 };
                    // SAFETY: one entry, which lives as long as the call.
                    if unsafe { libc::poll(&mut entry, 1, 1000) } <= 0 {
                        return;
                    }
                }
                _ => {
                    lock(&self.over).is_broken = true;
                    return;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Seek};

    fn options(mode: Mode) -> Options {
        Options { name: "w".into(), mode, glyphs: true, workers: 2, began: now() / 1000 }
    }

    #[test]
    fn a_log_has_a_first_and_a_last_line() {
        // SAFETY: makes a file in memory, which is ours.
        let mut file = unsafe { std::fs::File::from_raw_fd(libc::memfd_create(c"log".as_ptr(), 0)) };
        let display = Display::begin(options(Mode::Plain), file.as_raw_fd()).unwrap();
        display.event("retry", "a");
        display.close("w: done\n");
        let mut text = String::new();
        file.rewind().unwrap();
        file.read_to_string(&mut text).unwrap();
        assert_eq!(text, format!("w: started, 2 workers, pid {}\nw: retry: a\nw: done\n", std::process::id()));
    }

    #[test]
    fn what_is_gone_ends_the_display_only() {
        let mut ends = [0; 2];
        // SAFETY: fills two descriptors; the first is closed, the second ours.
        let out = unsafe {
            assert_eq!(libc::pipe(ends.as_mut_ptr()), 0);
            libc::close(ends[0]);
            OwnedFd::from_raw_fd(ends[1])
        };
        let display = Display::begin(options(Mode::Plain), out.as_raw_fd()).unwrap();
        display.close("w: done\n");
        display.close("");
        assert_eq!(display.wait_for_wanted(Duration::from_secs(9)), None);
    }
}
