//! Runs and their records, as their writers and readers see them.
mod common;

use std::fs;
use std::time::Duration;

use common::*;
use graflow_store::{Begin, Error, Limits, Options, State, Store, MAXIMUM_RECORD};

#[test]
fn records_of_several_streams_come_back_in_order_while_the_run_goes_and_after_it() {
    let place = Place::new();
    let store = open(&place, small());
    let mut writer = store.begin(&begin("flow")).unwrap();
    for number in 0..2000 {
        assert_eq!(writer.append(0, &record(number)).unwrap(), number);
        if number % 3 == 0 {
            assert_eq!(writer.append(15, &record(number)).unwrap(), number / 3);
        }
        if number % 500 == 0 {
            assert_eq!(read(&store, writer.run(), 0).unwrap(), records(number + 1), "in the middle");
        }
    }
    let run = writer.run();
    writer.finish(State::Finished, "{}".to_owned()).unwrap();
    for store in [&store, &Store::open_read_only(place.store()).unwrap()] {
        assert_eq!(read(store, run, 0).unwrap(), records(2000));
        let thirds: Vec<Vec<u8>> = (0..2000).filter(|number| number % 3 == 0).map(record).collect();
        assert_eq!(read(store, run, 15).unwrap(), thirds);
        assert_eq!(read(store, run, 7).unwrap(), Vec::<Vec<u8>>::new());
        assert_eq!(store.check().unwrap().records, 2000 + 667);
    }
    assert!(!tail(&place, run).exists());
}

fn tail(place: &Place, run: u64) -> std::path::PathBuf {
    place.directory().join(format!("runs.db-tail-{run}"))
}

#[test]
fn reading_may_begin_at_any_record() {
    let place = Place::new();
    let store = open(&place, lazy());
    let mut writer = store.begin(&begin("flow")).unwrap();
    for number in 0..300 {
        writer.append(2, &record(number)).unwrap();
        if number % 70 == 0 {
            writer.flush().unwrap();
        }
    }
    for first in (0..=300).chain([1000]) {
        let found: Vec<Vec<u8>> = store.read(writer.run(), 2, first).unwrap().map(Result::unwrap).collect();
        assert_eq!(found, (first..300).map(record).collect::<Vec<_>>(), "from {first}");
    }
}

#[test]
fn a_run_is_listed_with_all_that_was_told_of_it_the_newest_first() {
    let place = Place::new();
    let store = open(&place, small());
    let told = Begin { program: "[\"a\"]".to_owned(), ..named("first") };
    let mut first = store.begin(&told).unwrap();
    first.note("{\"done\": 1}".to_owned()).unwrap();
    first.flush().unwrap();
    let second = store.begin(&Begin { parent: Some(first.run()), ..begin("other") }).unwrap();
    let runs = store.runs().unwrap();
    assert_eq!(runs.iter().map(|run| run.id).collect::<Vec<_>>(), [2, 1]);
    assert_eq!((runs[1].name.as_deref(), runs[1].program.as_str()), (Some("first"), "[\"a\"]"));
    assert_eq!((runs[1].counts.as_str(), runs[1].state, runs[1].live), ("{\"done\": 1}", State::Running, true));
    assert_eq!((runs[0].workflow.as_str(), runs[0].parent, runs[0].epoch), ("other", Some(1), 1));
    first.finish(State::Failed, "{\"done\": 2}".to_owned()).unwrap();
    drop(second);
    let run = store.find("first").unwrap().unwrap();
    assert_eq!((run.counts.as_str(), run.state, run.live), ("{\"done\": 2}", State::Failed, false));
    assert!(run.ended.unwrap() >= run.started);
    assert_eq!(store.find("nobody").unwrap(), None);
    assert_eq!(store.run(9).unwrap_err(), Error::NoRun { run: 9 });
}

#[test]
fn a_name_is_given_once() {
    let place = Place::new();
    let store = open(&place, small());
    store.begin(&named("nightly")).unwrap().finish(State::Finished, String::new()).unwrap();
    let error = store.begin(&named("nightly")).unwrap_err();
    assert_eq!(
        error.to_string(),
        "there is a run named \"nightly\" already (run 1); resume it, or choose another name"
    );
    drop(store.begin(&begin("flow")).unwrap());
    drop(store.begin(&begin("flow")).unwrap());
    assert_eq!(store.runs().unwrap().len(), 3, "runs without a name don't disturb each other");
}

#[test]
fn a_run_goes_on_where_its_last_writer_stopped_as_often_as_wanted() {
    let place = Place::new();
    let store = open(&place, lazy());
    let mut writer = store.begin(&begin("flow")).unwrap();
    let run = writer.run();
    for epoch in 1..=5 {
        assert_eq!((writer.epoch(), writer.next(1).unwrap()), (epoch, (epoch - 1) * 100));
        for number in (epoch - 1) * 100..epoch * 100 {
            writer.append(1, &record(number)).unwrap();
        }
        drop(writer);
        assert!(!tail(&place, run).exists(), "what it held is in the database");
        writer = store.resume(run).unwrap();
        assert_eq!(read(&store, run, 1).unwrap(), records(epoch * 100));
    }
    writer.finish(State::Failed, String::new()).unwrap();
    let mut again = store.resume(run).unwrap();
    assert_eq!(store.run(run).unwrap().state, State::Running);
    again.append(1, &record(500)).unwrap();
    again.finish(State::Finished, String::new()).unwrap();
    assert_eq!(read(&store, run, 1).unwrap(), records(501));
    assert_eq!(store.resume(77).unwrap_err(), Error::NoRun { run: 77 });
}

#[test]
fn what_a_store_does_not_take_is_refused_in_words() {
    let place = Place::new();
    let store = open(&place, Options::default());
    let mut writer = store.begin(&begin("flow")).unwrap();
    let long = vec![7; MAXIMUM_RECORD];
    writer.append(0, &long).unwrap();
    writer.append(0, b"").unwrap();
    assert_eq!(
        writer.append(0, &vec![7; MAXIMUM_RECORD + 1]).unwrap_err().to_string(),
        "a record of 1048577 bytes is longer than the 1048576 that a store takes; keep it as a file"
    );
    assert_eq!(writer.append(16, b"").unwrap_err().to_string(), "there is no stream 16; a run has streams 0 to 15");
    writer.flush().unwrap();
    assert_eq!(read(&store, writer.run(), 0).unwrap(), [long, vec![]]);
    let reader = Store::open_read_only(place.store()).unwrap();
    assert!(reader.begin(&begin("flow")).unwrap_err().to_string().ends_with("it was opened for reading only"));
    let nowhere = place.directory().join("nothing.db");
    let error = Store::open_read_only(&nowhere).unwrap_err();
    assert_eq!(error.to_string(), format!("cannot open {}: No such file or directory", nowhere.display()));
}

#[test]
fn collecting_removes_what_is_over_the_limits_and_the_file_shrinks() {
    let place = Place::new();
    let store = open(&place, Options { half: 1 << 20, ..lazy() });
    let mut random = Random(1);
    let mut run = |state: Option<State>| {
        let mut writer = store.begin(&begin("flow")).unwrap();
        for _ in 0..8 {
            let record: Vec<u8> = (0..100_000).map(|_| random.next() as u8).collect();
            writer.append(0, &record).unwrap();
        }
        writer.flush().unwrap();
        if let Some(state) = state {
            writer.finish(state, String::new()).unwrap();
        }
    };
    run(None);
    (0..8).for_each(|_| run(Some(State::Finished)));
    let live = store.begin(&begin("flow")).unwrap();
    let ids = |limits: &Limits| store.gc(limits).unwrap().removed.iter().map(|run| run.id).collect::<Vec<_>>();
    let dry = Limits { dry: true, ..Limits::default() };
    assert_eq!(ids(&Limits::default()), [], "no limits");
    assert_eq!(ids(&Limits { keep: Some(3), ..dry }), [7, 6, 5, 4, 3, 2]);
    assert_eq!(ids(&Limits { keep: Some(0), unfinished: true, ..dry }), [9, 8, 7, 6, 5, 4, 3, 2, 1]);
    assert_eq!(ids(&Limits { older: Some(Duration::from_secs(60)), ..dry }), []);
    assert_eq!(ids(&Limits { older: Some(Duration::ZERO), keep: Some(8), ..dry }), [2]);
    assert_eq!(ids(&Limits { max_bytes: Some(3_000_000), ..dry }), [7, 6, 5, 4, 3, 2], "the oldest, until it fits");
    let collected = store.gc(&Limits { keep: Some(2), ..Limits::default() }).unwrap();
    assert_eq!(collected.removed.len(), 7);
    assert!(collected.after * 4 < collected.before, "{collected:?}");
    let length = fs::metadata(place.store()).unwrap().len();
    assert!(length == collected.after, "the file has {length} bytes");
    assert_eq!(store.runs().unwrap().iter().map(|run| run.id).collect::<Vec<_>>(), [10, 9, 1]);
    assert_eq!(store.read(9, 0, 0).unwrap().count(), 8);
    assert_eq!(store.check().unwrap().findings, []);
    assert_eq!(store.read(5, 0, 0).unwrap_err(), Error::NoRun { run: 5 });
    drop(live);
    assert_eq!(store.begin(&begin("flow")).unwrap().run(), 11, "numbers are never used again");
}

#[test]
fn large_values_go_with_their_run_and_count_as_its_bytes() {
    let place = Place::new();
    let store = open(&place, small());
    let folder = |run: u64| place.directory().join(format!("runs.db-values-{run}"));
    for run in 1..=3 {
        store.begin(&begin("flow")).unwrap().finish(State::Finished, String::new()).unwrap();
        fs::create_dir(folder(run)).unwrap();
        fs::write(folder(run).join("value"), vec![0; 1_000_000]).unwrap();
    }
    fs::create_dir(folder(77)).unwrap(); // of a run that is gone
    let limits = Limits { max_bytes: Some(2_500_000), ..Limits::default() };
    assert_eq!(store.gc(&limits).unwrap().removed.len(), 1);
    assert_eq!([1, 2, 3, 77].map(|run| folder(run).exists()), [false, true, true, false]);
}
