//! What can go wrong with a store, in words for people.
//!
//! Owns every error of this crate and its text: what happened, where, and what to do. Must not know how it came to that.
use std::path::{Path, PathBuf};
use std::{fmt, io};

use crate::runs::RunId;

/// A result of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// What went wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// The system refused something: the disk is full, a file is gone, a sync failed.
    System {
        /// What was tried, as in "cannot … ".
        what: &'static str,
        /// The file concerned.
        path: PathBuf,
        /// The system's number of the error, 0 if it gave none.
        code: i32,
        /// The system's words.
        text: String,
    },
    /// A store that must not be used: it isn't safe, not ours, or not a store at all.
    Refused {
        /// The file or directory concerned.
        path: PathBuf,
        /// Why, and what to do instead.
        reason: String,
    },
    /// Somebody writes this run at the moment.
    Held {
        /// The run.
        run: RunId,
        /// Who, as far as known.
        holder: String,
    },
    /// There is a run with this name already.
    NameTaken {
        /// The name.
        name: String,
        /// The run that has it.
        run: RunId,
    },
    /// There is no such run, or no longer.
    NoRun {
        /// The run asked for.
        run: RunId,
    },
    /// Another writer has taken the run over, so this one may not write any more.
    Overtaken {
        /// The run.
        run: RunId,
        /// The epoch of the writer that was refused.
        epoch: i64,
    },
    /// Bytes are not what was written.
    Damaged {
        /// The run.
        run: RunId,
        /// Which of its streams.
        stream: u8,
        /// The first record concerned.
        record: u64,
        /// What is wrong with it.
        what: String,
    },
    /// A record that the store doesn't take.
    TooLong {
        /// Its length in bytes.
        length: usize,
    },
    /// There is no stream of this number.
    NoStream {
        /// The number given.
        stream: u8,
    },
    /// A store or a writer that was opened before this process was forked.
    Forked,
    /// The writer's run has ended.
    Ended,
}

impl Error {
    /// An error of the system, with what was tried at which file.
    pub fn system(what: &'static str, path: &Path, error: &io::Error) -> Error {
        let code = error.raw_os_error().unwrap_or(0);
        // The number that the standard library adds says nothing to people.
        let text = error.to_string();
        let text = text.split(" (os error").next().unwrap_or_default().to_owned();
        Error::System { what, path: path.to_owned(), code, text }
    }

    /// An error of SQLite, with what was tried at which file.
    pub fn sqlite(what: &'static str, path: &Path, error: &rusqlite::Error) -> Error {
        use rusqlite::ErrorCode;
        let code = match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => libc::ENOSPC,
            Some(ErrorCode::SystemIoFailure) => libc::EIO,
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => libc::EBUSY,
            Some(ErrorCode::PermissionDenied | ErrorCode::ReadOnly) => libc::EACCES,
            Some(ErrorCode::CannotOpen) => libc::ENOENT,
            Some(ErrorCode::NotADatabase) => {
                let reason = "it is not a store of runs; give another path".to_owned();
                return Error::Refused { path: path.to_owned(), reason };
            }
            _ => 0,
        };
        Error::System { what, path: path.to_owned(), code, text: error.to_string() }
    }

    /// The system's number of the error, 0 if it is none of the system's.
    pub fn code(&self) -> i32 {
        match self {
            Error::System { code, .. } => *code,
            Error::Held { .. } => libc::EAGAIN,
            Error::Refused { .. } => libc::EPERM,
            Error::NameTaken { .. }
            | Error::NoRun { .. }
            | Error::Overtaken { .. }
            | Error::Damaged { .. }
            | Error::TooLong { .. }
            | Error::NoStream { .. }
            | Error::Forked
            | Error::Ended => 0,
        }
    }

    /// The file concerned, if one is.
    pub fn path(&self) -> Option<&Path> {
        match self {
            Error::System { path, .. } | Error::Refused { path, .. } => Some(path),
            Error::Held { .. }
            | Error::NameTaken { .. }
            | Error::NoRun { .. }
            | Error::Overtaken { .. }
            | Error::Damaged { .. }
            | Error::TooLong { .. }
            | Error::NoStream { .. }
            | Error::Forked
            | Error::Ended => None,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::System { what, path, text, .. } => {
                write!(out, "cannot {what} {}: {text}", path.display())
            }
            Error::Refused { path, reason } => write!(out, "{} is refused: {reason}", path.display()),
            Error::Held { run, holder } => {
                write!(out, "run {run} is being written by {holder}; wait for its end, or end that process first")
            }
            Error::NameTaken { name, run } => {
                write!(out, "there is a run named {name:?} already (run {run}); resume it, or choose another name")
            }
            Error::NoRun { run } => write!(out, "there is no run {run} in this store"),
            Error::Overtaken { run, epoch } => write!(
                out,
                "run {run} was taken over by another process or removed, so this one (writer {epoch}) may not write any more"
            ),
            Error::Damaged { run, stream, record, what } => {
                write!(out, "run {run} is damaged at record {record} of stream {stream}: {what}")
            }
            Error::TooLong { length } => write!(
                out,
                "a record of {length} bytes is longer than the {} that a store takes; keep it as a file",
                crate::MAXIMUM_RECORD
            ),
            Error::NoStream { stream } => {
                write!(out, "there is no stream {stream}; a run has streams 0 to {}", crate::STREAMS - 1)
            }
            Error::Forked => {
                write!(out, "this store was opened before the process was forked; only the process that opened it may use it")
            }
            Error::Ended => write!(out, "this run has ended, nothing can be appended"),
        }
    }
}

impl std::error::Error for Error {}
