//! Several processes at one store: killed while they write, racing for a run, reading meanwhile, forked.
mod common;

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::process::ExitStatusExt;
use std::process::Stdio;
use std::sync::atomic::{AtomicU32, Ordering};

use common::*;
use graflow_store::{Error, Options, State, Store};

/// The second process: appends records as fast as it can, and after each one says in a file how many there are.
#[test]
fn second_appends() {
    let Some(path) = told_place() else { return };
    use std::os::unix::fs::FileExt;
    let store = Store::open_with(&path, small()).unwrap();
    let run = store.runs().unwrap().first().map(|run| run.id);
    let mut writer = match run {
        Some(run) => store.resume(run).unwrap(),
        None => store.begin(&begin("flow")).unwrap(),
    };
    let said =
        fs::OpenOptions::new().write(true).create(true).truncate(true).open(path.with_extension("said")).unwrap();
    loop {
        let number = writer.append(0, &record(writer.next(0).unwrap())).unwrap();
        said.write_all_at(&(number + 1).to_le_bytes(), 0).unwrap();
    }
}

#[test]
fn a_killed_process_loses_nothing_that_it_had_appended() {
    let place = Place::new();
    let said = || {
        let bytes = fs::read(place.store().with_extension("said")).ok()?;
        Some(u64::from_le_bytes(bytes.try_into().ok()?))
    };
    let mut random = Random(9);
    let mut before = 0;
    for kill in 0..12 {
        let mut child = second_process("second_appends", &place).spawn().unwrap();
        // Some records on, at a point that nobody has chosen.
        let enough = before + 1 + random.below(3000);
        wait_for("records", || said().filter(|said| *said >= enough));
        child.kill().unwrap();
        assert_eq!(child.wait().unwrap().signal(), Some(libc::SIGKILL));
        let appended = said().unwrap();
        let store = Store::open_read_only(place.store()).unwrap();
        let found = read(&store, 1, 0).unwrap();
        // One more may have been appended before that was said.
        assert!((appended..=appended + 1).contains(&(found.len() as u64)), "kill {kill}: {appended} said");
        assert_eq!(found, records(found.len() as u64), "kill {kill}");
        let run = store.run(1).unwrap();
        assert_eq!((run.state, run.live, run.epoch), (State::Running, false, kill + 1));
        before = appended;
        fs::remove_file(place.store().with_extension("said")).unwrap();
    }
    assert_eq!(open(&place, small()).check().unwrap().findings, []);
}

#[test]
fn a_reader_sees_a_growing_prefix_while_another_process_writes() {
    let place = Place::new();
    let mut child = second_process("second_appends", &place).spawn().unwrap();
    wait_for("the store", || Store::open_read_only(place.store()).ok()?.runs().ok()?.first().cloned());
    let store = Store::open_read_only(place.store()).unwrap();
    let mut length: u64 = 0;
    // More than the tail holds, so halves are used again while they are read.
    for look in 0.. {
        // Some of what was there the last time, too.
        let first = length.saturating_sub(20);
        let found: Vec<Vec<u8>> = store.read(1, 0, first).unwrap().map(Result::unwrap).collect();
        let end = first + found.len() as u64;
        assert!(end >= length, "look {look}: {end} after {length}");
        assert_eq!(found, (first..end).map(record).collect::<Vec<_>>(), "look {look}");
        length = end;
        if look >= 30 && length > 1000 {
            break;
        }
    }
    assert!(store.run(1).unwrap().live);
    child.kill().unwrap();
    child.wait().unwrap();
}

/// The second process: resumes the run, says so, and holds it until it is killed.
#[test]
fn second_holds() {
    let Some(path) = told_place() else { return };
    let store = Store::open_with(&path, small()).unwrap();
    match store.resume(1) {
        Ok(_writer) => {
            println!("\nheld");
            loop {
                std::thread::park();
            }
        }
        Err(error) => println!("\n{error}"),
    }
}

#[test]
fn of_two_processes_that_want_a_run_one_gets_it_and_the_other_is_told_who() {
    let place = Place::new();
    let store = open(&place, small());
    drop(store.begin(&begin("flow")).unwrap());
    let mut children: Vec<_> =
        (0..2).map(|_| second_process("second_holds", &place).stdout(Stdio::piped()).spawn().unwrap()).collect();
    let answers: Vec<String> = children
        .iter_mut()
        .map(|child| {
            let lines = BufReader::new(child.stdout.take().unwrap()).lines();
            let mut said = lines.map_while(Result::ok).filter(|line| line == "held" || line.starts_with("run 1"));
            said.next().unwrap()
        })
        .collect();
    let winner = answers.iter().position(|answer| answer == "held").unwrap();
    let told = format!("run 1 is being written by process {};", children[winner].id());
    assert!(answers[1 - winner].starts_with(&told), "{answers:?}");
    let error = store.resume(1).unwrap_err();
    assert!(matches!(&error, Error::Held { run: 1, .. }) && error.to_string().starts_with(&told), "{error}");
    assert_eq!(
        store.gc(&graflow_store::Limits { keep: Some(0), unfinished: true, ..Default::default() }).unwrap().removed,
        []
    );
    children.iter_mut().for_each(|child| child.kill().unwrap());
    children.iter_mut().for_each(|child| assert!(child.wait().is_ok()));
    assert_eq!(store.resume(1).unwrap().epoch(), 3, "the lock has gone with its process");
}

#[test]
fn of_many_threads_that_want_a_run_one_gets_it() {
    let place = Place::new();
    let store = open(&place, small());
    drop(store.begin(&begin("flow")).unwrap());
    let (won, barrier) = (AtomicU32::new(0), std::sync::Barrier::new(8));
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let store = Store::open(place.store()).unwrap();
                let writer = store.resume(1);
                won.fetch_add(u32::from(writer.is_ok()), Ordering::Relaxed);
                barrier.wait();
                if let Err(error) = writer {
                    let words = format!("run 1 is being written by this process ({})", std::process::id());
                    assert!(error.to_string().starts_with(&words), "{error}");
                }
            });
        }
    });
    assert_eq!(won.into_inner(), 1);
    assert!(store.resume(1).is_ok());
}

#[test]
fn a_writer_that_was_overtaken_since_its_lock_file_was_removed_can_not_interleave() {
    let place = Place::new();
    let store = open(&place, lazy());
    let mut older = store.begin(&begin("flow")).unwrap();
    (0..10).for_each(|number| assert_eq!(older.append(0, &record(number)).unwrap(), number));
    fs::remove_file(place.directory().join("runs.db-lock")).unwrap();
    let other = open(&place, lazy());
    let mut newer = other.resume(1).unwrap();
    assert_eq!(newer.next(0).unwrap(), 10, "what the older one had appended is there");
    newer.append(0, &record(10)).unwrap();
    older.append(0, b"too late").unwrap();
    let words = "run 1 was taken over by another process or removed, so this one (writer 1) may not write any more";
    assert_eq!(older.flush().unwrap_err().to_string(), words);
    assert_eq!(older.append(0, b"").unwrap_err().to_string(), words, "it stays so");
    assert_eq!(older.finish(State::Finished, String::new()).unwrap_err().to_string(), words);
    // One more that has nothing left to write takes nothing away when it goes.
    drop(newer);
    let idle = other.resume(1).unwrap();
    fs::remove_file(place.directory().join("runs.db-lock")).unwrap();
    let third = open(&place, lazy());
    let mut newest = third.resume(1).unwrap();
    drop(idle);
    newest.append(0, &record(11)).unwrap();
    assert_eq!(read(&store, 1, 0).unwrap(), records(12));
    assert_eq!(store.run(1).unwrap().state, State::Running);
}

#[test]
fn a_removed_run_can_not_be_written_to() {
    let place = Place::new();
    let store = open(&place, lazy());
    let mut writer = store.begin(&begin("flow")).unwrap();
    writer.append(0, b"x").unwrap();
    rusqlite::Connection::open(place.store()).unwrap().execute("DELETE FROM runs", []).unwrap();
    assert_eq!(writer.flush().unwrap_err(), Error::Overtaken { run: 1, epoch: 1 });
}

#[test]
fn in_a_forked_child_store_writer_and_reader_are_dead_and_the_parents_live() {
    let place = Place::new();
    let store = open(&place, lazy());
    let mut writer = store.begin(&begin("flow")).unwrap();
    writer.append(0, &record(0)).unwrap();
    let mut found = store.read(1, 0, 0).unwrap();
    // SAFETY: other tests' threads don't exist in the child, which only calls what says so for forked processes.
    let child = unsafe { libc::fork() };
    if child == 0 {
        let dead = writer.append(0, b"x").is_err_and(|error| error == Error::Forked)
            && writer.flush().is_err_and(|error| error == Error::Forked)
            && store.runs().is_err_and(|error| error == Error::Forked)
            && store.resume(1).is_err_and(|error| error == Error::Forked);
        drop((writer, store));
        drop(found.next_batch());
        // SAFETY: ends the child at once.
        unsafe { libc::_exit(i32::from(!dead)) };
    }
    let mut status = 0;
    // SAFETY: waits for the child above.
    unsafe { libc::waitpid(child, &mut status, 0) };
    assert_eq!(status, 0);
    assert!(store.run(1).unwrap().live, "the child has not given the lock up");
    writer.append(0, &record(1)).unwrap();
    writer.finish(State::Finished, String::new()).unwrap();
    assert_eq!(found.next().unwrap().unwrap(), record(0));
    assert_eq!(read(&store, 1, 0).unwrap(), records(2));
}

/// The second process: may write files of so many bytes, and appends until it is told that there is no room.
#[test]
fn second_fills() {
    let Some(path) = told_place() else { return };
    let limit = libc::rlimit { rlim_cur: 400_000, rlim_max: 400_000 };
    // SAFETY: only sets a limit of this process, and what its signal does.
    unsafe {
        libc::setrlimit(libc::RLIMIT_FSIZE, &limit);
        libc::signal(libc::SIGXFSZ, libc::SIG_IGN);
    }
    let store = Store::open_with(&path, small()).unwrap();
    let mut writer = store.begin(&begin("flow")).unwrap();
    let error = loop {
        if let Err(error) = writer.append(0, &record(writer.next(0).unwrap())) {
            break error;
        }
    };
    println!("\nappended {}", writer.next(0).unwrap());
    println!("again {}", writer.append(0, b"").unwrap_err() == error);
    println!("finish {}", writer.finish(State::Finished, String::new()).unwrap_err());
    let big = Store::open_with(&path, Options::default()).unwrap();
    println!("begin {}", big.begin(&begin("flow")).unwrap_err());
}

#[test]
fn a_full_disk_is_told_with_the_file_and_nothing_that_was_appended_is_lost() {
    let place = Place::new();
    let output = second_process("second_fills", &place).stdout(Stdio::piped()).output().unwrap();
    assert!(output.status.success());
    let said = String::from_utf8(output.stdout).unwrap();
    let told = |what: &str| said.lines().find_map(|line| line.strip_prefix(what)).unwrap().to_owned();
    let words = format!("cannot write {}: ", place.store().display());
    assert!(told("finish ").starts_with(&words), "{said}");
    assert_eq!(told("again "), "true");
    let tail = place.directory().join("runs.db-tail-2-new");
    assert_eq!(told("begin "), format!("cannot make room for what is appended in {}: File too large", tail.display()));
    assert!(!tail.exists());
    let appended: u64 = told("appended ").parse().unwrap();
    assert!(appended > 1000);
    let store = open(&place, small());
    assert_eq!(read(&store, 1, 0).unwrap(), records(appended));
    let mut writer = store.resume(1).unwrap();
    assert_eq!(writer.append(0, &record(appended)).unwrap(), appended);
    writer.finish(State::Finished, String::new()).unwrap();
    assert_eq!(read(&store, 1, 0).unwrap(), records(appended + 1));
    assert_eq!(store.runs().unwrap().len(), 1, "the run that could not begin is not there");
}
