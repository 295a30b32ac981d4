//! What must hold for any bytes on a link: what the fuzz target (`fuzz/`) checks, and the seeds it starts from.
//!
//! Owns those claims. Built for tests and by cargo-fuzz only.
use crate::frame::{self, FrameError, Kind, HEADER};
use crate::inbox::{Frame, Inbox};

/// Takes the bytes as a fuzzer gives them: the first one says how the rest is to be read.
///
/// # Panics
/// If a claim does not hold.
pub fn check(bytes: &[u8]) {
    let Some((how, bytes)) = bytes.split_first() else {
        return;
    };
    if how & 1 == 0 {
        check_stream(bytes, usize::from(how >> 1) + 1);
    } else if let Some((kind, body)) = bytes.split_first() {
        // A fuzzer doesn't find checksums by itself: these bytes get a right one.
        let kind = [Kind::Tasks, Kind::Reports, Kind::Define, Kind::Request, Kind::Reply][usize::from(kind % 5)];
        let mut wire = Vec::new();
        frame::append(&mut wire, kind, &[body]).expect("a short body");
        let (frames, error) = taken(&wire, wire.len());
        assert!(error.is_none() && frames.len() == 1 && frames[0].body() == body);
        check_stream(&wire, usize::from(how >> 1) + 1);
    }
}

/// Cut into pieces of any size, a stream gives the same frames and the same error.
fn check_stream(bytes: &[u8], cut: usize) {
    let (whole, error) = taken(bytes, bytes.len().max(1));
    let (parts, same_error) = taken(bytes, cut);
    assert_eq!(error, same_error);
    assert_eq!(whole.len(), parts.len());
    let mut again = Vec::new();
    for (frame, part) in whole.iter().zip(&parts) {
        assert!(frame.kind == part.kind && frame.body() == part.body());
        check_records(frame);
        frame::append(&mut again, frame.kind, &[frame.body()]).expect("it came in a frame");
    }
    assert!(bytes.starts_with(&again), "frames are written as they were read");
}

/// Each record lies within its frame, behind the one before, and is written as it was read.
fn check_records(frame: &Frame) {
    let bytes = &frame.bytes;
    let mut at = HEADER;
    while at < bytes.len() {
        let mut again = Vec::new();
        let end = match frame.kind {
            Kind::Tasks => frame::read_task(bytes, at).map(|record| {
                again.extend_from_slice(&frame::task_head(record.ticket, record.slot, record.payload.len()));
                again.extend_from_slice(&bytes[record.payload.clone()]);
                record.payload.end
            }),
            Kind::Reports => frame::read_report(bytes, at).map(|record| {
                let (result, effects) = (&bytes[record.result.clone()], &bytes[record.effects.clone()]);
                let times = (record.started, record.ended);
                frame::append_report(&mut again, record.ticket, record.flags, times, result, effects);
                record.effects.end
            }),
            Kind::Define | Kind::Forget | Kind::Request => {
                frame::read_numbered(frame.kind, bytes, at).map(|(n, start)| {
                    again.extend_from_slice(&n.to_le_bytes());
                    again.extend_from_slice(&bytes[start..]);
                    bytes.len()
                })
            }
            // Whatever is left over is less than a record.
            Kind::Recall => {
                assert!(frame::read_recalls(&bytes[HEADER..]).count() <= bytes.len());
                return;
            }
            Kind::Returned => {
                assert!(frame::read_tickets(&bytes[HEADER..]).count() <= bytes.len());
                return;
            }
            Kind::Reply | Kind::Stop => return,
        };
        let Ok(end) = end else {
            return;
        };
        assert!(end > at && end <= bytes.len());
        assert_eq!(again, bytes[at..end]);
        at = end;
    }
}

fn taken(bytes: &[u8], cut: usize) -> (Vec<Frame>, Option<FrameError>) {
    let mut inbox = Inbox::default();
    let mut frames = Vec::new();
    for part in bytes.chunks(cut) {
        inbox.push(part);
        loop {
            match inbox.take() {
                Ok(Some(frame)) => frames.push(frame),
                Ok(None) => break,
                Err(error) => return (frames, Some(error)),
            }
        }
    }
    (frames, None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    /// The seeds by name. `GRAFLOW_FAST_WRITE_SEEDS=1` writes them where the fuzzer looks for them.
    fn seeds() -> Vec<(&'static str, Vec<u8>)> {
        let mut task = frame::task_head(7, 3, 5).to_vec();
        task.extend_from_slice(b"hello");
        let mut reports = Vec::new();
        frame::append_report(&mut reports, 9, 2, (10, 20), b"result", b"fx");
        frame::append_report(&mut reports, 10, 0, (20, 30), b"", b"");
        let wire = |parts: &[(Kind, &[u8])]| {
            let mut wire = vec![6]; // a stream, cut into pieces of four bytes
            for (kind, body) in parts {
                frame::append(&mut wire, *kind, &[body]).unwrap();
            }
            wire
        };
        let definition: &[u8] = b"\x01\0\0\0\0\0\0\0blob";
        let stream = wire(&[
            (Kind::Define, definition),
            (Kind::Tasks, &[task.as_slice(), &task].concat()),
            (Kind::Reply, b"answer"),
            (Kind::Forget, &definition[..8]),
            (Kind::Stop, b""),
        ]);
        let from_worker = wire(&[(Kind::Request, definition), (Kind::Reports, &reports)]);
        let mut broken = from_worker.clone();
        broken[20] ^= 1;
        let mut long = vec![0, 0x47, 0x46, 6, 0];
        long.extend_from_slice(&(1_u32 << 30).to_le_bytes());
        long.extend_from_slice(&[0; 8]);
        vec![
            ("to-worker", stream.clone()),
            ("from-worker", from_worker),
            ("broken-checksum", broken),
            ("cut-off", stream[..40].to_vec()),
            ("a-gigabyte", long),
            ("not-a-frame", b"\x04rubbish".to_vec()),
            ("tasks", [&[9, 0], task.as_slice()].concat()),
            ("reports", [&[9, 1], reports.as_slice()].concat()),
            ("half-a-report", [&[9, 1], &reports[..50]].concat()),
            ("definition", [&[3, 2], definition].concat()),
        ]
    }

    #[test]
    fn the_claims_hold_for_every_seed_and_every_cut() {
        for (name, bytes) in seeds() {
            for how in 0..=255 {
                let mut bytes = bytes.clone();
                bytes[0] = how;
                check(&bytes);
            }
            check(&bytes[..1]);
            assert!(!bytes.is_empty(), "{name}");
        }
    }

    #[test]
    fn the_fuzzer_starts_from_these_seeds() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/seeds");
        for (name, bytes) in seeds() {
            if std::env::var_os("GRAFLOW_FAST_WRITE_SEEDS").is_some() {
                std::fs::write(folder.join(name), &bytes).unwrap();
            }
            assert!(std::fs::read(folder.join(name)).unwrap() == bytes, "{name} is out of date: write the seeds anew");
        }
    }
}
