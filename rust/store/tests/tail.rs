//! A model of the tail: after each single store that the writer makes, what can be read is a prefix of what was appended.
mod common;

use std::cell::RefCell;

use common::*;
use graflow_store::tail::{Appender, Gap, Half, Memory, Next, Tail, HALF_HEADER, PAGE};
use graflow_store::STREAMS;

/// So many bytes has a half: some ten records.
const HALF: usize = 1024;
const NOTHING: Next = [0; STREAMS as usize];

/// A memory that keeps each store.
#[derive(Default)]
struct Stores(RefCell<Vec<(usize, Vec<u8>)>>);

impl Memory for &Stores {
    fn store(&self, offset: usize, bytes: &[u8]) {
        // Not even a copy is made in one step, nor in order.
        let mut pieces: Vec<(usize, Vec<u8>)> =
            bytes.chunks(7).enumerate().map(|(order, piece)| (offset + order * 7, piece.to_vec())).collect();
        if pieces.len() % 2 == 0 {
            pieces.reverse();
        }
        self.0.borrow_mut().extend(pieces);
    }

    fn publish_word(&self, offset: usize, value: u32) {
        self.0.borrow_mut().push((offset, value.to_le_bytes().to_vec()));
    }

    fn publish_number(&self, offset: usize, value: u64) {
        self.0.borrow_mut().push((offset, value.to_le_bytes().to_vec()));
    }
}

fn tail(image: &[u8], run: u64, epoch: u64) -> Tail {
    let halves = image[PAGE..].chunks(HALF).filter_map(|bytes| Half::read(bytes.to_vec(), run, epoch));
    Tail::new(halves)
}

fn joined(tail: &Tail, committed: Next) -> Result<Vec<(u8, u64, Vec<u8>)>, Gap> {
    let (mut found, mut committed) = (Vec::new(), committed);
    tail.join(&mut committed, |stream, number, bytes| found.push((stream, number, bytes.to_vec())))?;
    Ok(found)
}

/// What is done to a tail: records, and at which of them the half is left; with the stores that were made up to each.
struct Script {
    records: Vec<(u8, u64, Vec<u8>)>,
    /// How many stores had been made when so many records had been appended.
    made: Vec<usize>,
    /// How many records had been appended when each half was opened, and how many stores made.
    opened: Vec<(usize, usize)>,
    stores: Vec<(usize, Vec<u8>)>,
}

fn script(seed: u64, count: usize) -> Script {
    let memory = Stores::default();
    let mut random = Random(seed);
    let mut appender = Appender::new(&memory, 7, 3, HALF, NOTHING);
    let (mut records, mut made) = (Vec::new(), vec![memory.0.borrow().len()]);
    let mut opened = vec![(0, 0)];
    for _ in 0..count {
        let stream = random.below(3) as u8;
        // Zeros and ones, which look like what is not there.
        let bytes = vec![[0, 0xFF, 0x80, random.next() as u8][random.below(4) as usize]; random.below(120) as usize];
        if !appender.fits(bytes.len()) {
            opened.push((records.len(), memory.0.borrow().len()));
            appender.turn();
        }
        let number = appender.append(stream, &bytes);
        records.push((stream, number, bytes));
        made.push(memory.0.borrow().len());
    }
    let stores = memory.0.borrow().clone();
    Script { records, made, opened, stores }
}

/// The numbers of the next records when so many records are committed.
fn committed(script: &Script, count: usize) -> Next {
    let mut next = NOTHING;
    script.records[..count].iter().for_each(|(stream, ..)| next[usize::from(*stream)] += 1);
    next
}

#[test]
fn after_each_store_of_the_writer_all_that_was_appended_is_read_and_nothing_else() {
    for seed in 0..12 {
        let script = script(seed, 60);
        assert!(script.opened.len() > 3, "halves are used again");
        // What was there before is not zeros: the file's place may have been another tail's.
        let mut image = vec![if seed % 2 == 0 { 0 } else { 0xA5 }; PAGE + 2 * HALF];
        image[PAGE..PAGE + 8].fill(0);
        image[PAGE + HALF..PAGE + HALF + 8].fill(0);
        for (stored, (offset, bytes)) in script.stores.iter().enumerate() {
            image[*offset..offset + bytes.len()].copy_from_slice(bytes);
            let appended = script.made.iter().filter(|made| **made <= stored + 1).count().saturating_sub(1);
            // A half is opened anew when what it held is in the database: all but what the other half has.
            let opened = script.opened.iter().filter(|(_, stores)| *stores <= stored).count();
            let least = if opened > 2 { script.opened[opened - 2].0 } else { 0 };
            let tail = tail(&image, 7, 3);
            assert!(!tail.damaged(), "seed {seed}, after store {stored}: it ends at something that is no record");
            for done in [least, (least + appended) / 2, appended] {
                let found = joined(&tail, committed(&script, done)).unwrap();
                let complete = &script.records[done..appended];
                let more = &script.records[done..script.records.len().min(appended + 1)];
                // A record is there with its last store, which is that of its first word.
                assert!(found == complete || found == more, "seed {seed}, after store {stored}, {done} committed");
            }
        }
    }
}

#[test]
fn of_a_damaged_tail_a_prefix_is_read_or_what_is_missing_is_said() {
    let mut shorter = 0;
    for seed in 0..400 {
        let mut random = Random(seed);
        let script = script(seed, 20 + random.below(30) as usize);
        let mut image = vec![0; PAGE + 2 * HALF];
        for (offset, bytes) in &script.stores {
            image[*offset..offset + bytes.len()].copy_from_slice(bytes);
        }
        let least = if script.opened.len() > 2 { script.opened[script.opened.len() - 2].0 } else { 0 };
        let done = least + random.below((script.records.len() - least + 1) as u64) as usize;
        let length = image.len() - PAGE;
        let at = PAGE + random.below(length as u64) as usize;
        match random.below(4) {
            0 => image[at] ^= 1 << random.below(8),
            1 => image[at..].iter_mut().take(64).for_each(|byte| *byte = 0),
            2 => image.truncate(at),
            _ => {
                let from = PAGE + random.below(length as u64 - 64) as usize;
                let to = at.min(image.len() - 64);
                image.copy_within(from..from + 64, to);
            }
        }
        match joined(&tail(&image, 7, 3), committed(&script, done)) {
            Ok(found) => {
                assert!(script.records[done..].starts_with(&found), "seed {seed}");
                shorter += usize::from(found.len() < script.records.len() - done);
            }
            Err(gap) => {
                let lost = script.records[done..].iter().find(|(stream, ..)| *stream == gap.stream).unwrap();
                assert_eq!(gap.first, lost.1, "seed {seed}");
            }
        }
    }
    assert!(shorter > 20, "the damage was seen {shorter} times");
}

#[test]
fn a_tail_of_another_run_or_epoch_is_nobodys() {
    let script = script(1, 5);
    let mut image = vec![0; PAGE + 2 * HALF];
    for (offset, bytes) in &script.stores {
        image[*offset..offset + bytes.len()].copy_from_slice(bytes);
    }
    assert_eq!(joined(&tail(&image, 7, 3), NOTHING).unwrap().len(), 5);
    assert_eq!(joined(&tail(&image, 8, 3), NOTHING).unwrap(), []);
    assert_eq!(joined(&tail(&image, 7, 4), NOTHING).unwrap(), []);
}

#[test]
fn records_fill_a_half_to_its_end_and_not_beyond() {
    for length in 0..=HALF - HALF_HEADER {
        let memory = Stores::default();
        let mut appender = Appender::new(&memory, 7, 3, HALF, NOTHING);
        assert_eq!(appender.fits(length), length <= appender.longest(), "{length} bytes");
        if appender.fits(length) {
            appender.append(0, &vec![1; length]);
        }
        let end = memory.0.borrow().iter().map(|(offset, bytes)| offset + bytes.len()).max();
        assert!(end.is_some_and(|end| end <= PAGE + HALF), "{length} bytes: up to {end:?}");
    }
}
