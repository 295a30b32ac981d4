//! Large values of a run: files beside the database, in a directory for each run.
//!
//! Owns where they are and how many bytes they have. Who writes and reads them, and what their
//! names mean, is not known here.
use std::fs;
use std::path::{Path, PathBuf};

use crate::access;
use crate::runs::RunId;

const MARK: &str = "-values-";

/// The directory of a run's large values, if it has any.
pub fn directory(store: &Path, run: RunId) -> PathBuf {
    access::beside(store, &format!("{MARK}{run}"))
}

/// How many bytes the large values of a run have.
pub fn bytes(store: &Path, run: RunId) -> u64 {
    let Ok(found) = fs::read_dir(directory(store, run)) else { return 0 };
    found.flatten().filter_map(|entry| entry.metadata().ok()).map(|file| file.len()).sum()
}

/// The directories of large values, with their runs, which may be gone.
pub fn all(store: &Path) -> Vec<(RunId, PathBuf)> {
    let (Some(name), Ok(found)) = (store.file_name(), fs::read_dir(access::directory(store))) else {
        return Vec::new();
    };
    let begin = format!("{}{MARK}", name.to_string_lossy());
    let run = |name: String| name.strip_prefix(&begin).and_then(|number| number.parse::<RunId>().ok());
    let entries = found.flatten().map(|entry| (entry.file_name().to_string_lossy().into_owned(), entry.path()));
    entries.filter_map(|(name, path)| Some((run(name)?, path))).collect()
}
