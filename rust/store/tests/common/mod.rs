//! What the tests of the store share: a place of their own, numbers that look random, and processes of their own.
#![allow(dead_code)] // Each test program uses a part.
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};
use std::{fs, thread};

use graflow_store::{Begin, Options, Result, RunId, Store};

/// A directory that is removed at the end; in memory if that goes, since a busy disk takes long for each sync.
pub struct Place(PathBuf);

impl Place {
    pub fn new() -> Place {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let memory = Path::new("/dev/shm");
        let base = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
        let path = base.join(format!("graflow-store-{}-{number}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Place(path)
    }

    pub fn directory(&self) -> &Path {
        &self.0
    }

    pub fn store(&self) -> PathBuf {
        self.0.join("runs.db")
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Halves so small that a test fills many.
pub fn small() -> Options {
    Options { half: 16384, interval: Duration::from_millis(5) }
}

/// Nothing gets into the database unless a half is full or a flush is asked for.
pub fn lazy() -> Options {
    Options { half: 16384, interval: Duration::from_secs(3600) }
}

pub fn open(place: &Place, options: Options) -> Store {
    Store::open_with(place.store(), options).unwrap()
}

pub fn begin(workflow: &str) -> Begin {
    Begin { workflow: workflow.to_owned(), ..Begin::default() }
}

pub fn named(name: &str) -> Begin {
    Begin { name: Some(name.to_owned()), ..begin("flow") }
}

pub fn read(store: &Store, run: RunId, stream: u8) -> Result<Vec<Vec<u8>>> {
    store.read(run, stream, 0)?.collect()
}

/// Record number `number`: its length and content follow from the number.
pub fn record(number: u64) -> Vec<u8> {
    let mut random = Random(number);
    let length = random.below(200);
    let mut bytes = number.to_le_bytes().to_vec();
    bytes.extend((0..length).map(|_| random.next() as u8));
    bytes
}

/// So many of the records above, from number 0 on.
pub fn records(count: u64) -> Vec<Vec<u8>> {
    (0..count).map(record).collect()
}

/// Numbers from a seed.
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    pub fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }
}

/// Waits until that gives something.
pub fn wait_for<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = ask() {
            return found;
        }
        assert!(begun.elapsed() < Duration::from_secs(60), "waited in vain for {what}");
        thread::sleep(Duration::from_millis(1));
    }
}

/// The variable that tells a test of this program that it is another test's second process, and where the store is.
pub const PLACE: &str = "GRAFLOW_STORE_TEST_PLACE";

/// Where the store is, in a second process.
pub fn told_place() -> Option<PathBuf> {
    std::env::var_os(PLACE).map(PathBuf::from)
}

/// Runs one test of this program in a process of its own, which is told where the store is.
pub fn second_process(test: &str, place: &Place) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", test, "--nocapture", "--test-threads=1"]).env(PLACE, place.store());
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::inherit());
    // SAFETY: prctl only sets what happens at the parent's death, which a forked child may do.
    unsafe {
        command.pre_exec(|| {
            libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
            Ok(())
        });
    }
    command
}
