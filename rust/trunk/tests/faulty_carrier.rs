//! Two ends over a carrier that loses, repeats, delays, reorders and damages blobs: each message arrives once, in order.
use graflow_trunk::{End, Message, TrunkError};

struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
}

fn message(number: u64) -> Message {
    let length = (number * 7919 % 300) as usize;
    Message { kind: number as u8, worker: number as u32, content: vec![number as u8; length] }
}

/// What is on its way to one end.
#[derive(Default)]
struct Way(Vec<Vec<u8>>);

impl Way {
    /// Takes a blob, or what becomes of it; true if the sender is told that it is lost.
    fn send(&mut self, blob: Vec<u8>, random: &mut Random) -> bool {
        match random.below(10) {
            0 => return true,
            1 => {
                let mut damaged = blob;
                let place = random.below(damaged.len() as u64) as usize;
                damaged[place] ^= 1 << random.below(8);
                self.0.push(damaged);
                return true;
            }
            2 => {
                self.0.push(blob.clone());
                self.0.push(blob);
                return true; // it arrives, and the answer is lost
            }
            _ => self.0.push(blob),
        }
        false
    }

    fn arrive(&mut self, random: &mut Random) -> Option<Vec<u8>> {
        if self.0.is_empty() || random.below(3) == 0 {
            return None;
        }
        let place = random.below(self.0.len() as u64) as usize;
        Some(self.0.swap_remove(place))
    }
}

#[test]
fn each_message_arrives_once_and_in_order() {
    for seed in 1..200_u64 {
        let mut random = Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        let mut ends = [End::new(seed), End::new(seed)];
        let mut ways = [Way::default(), Way::default()];
        let (mut pushed, mut seen) = ([0_u64; 2], [0_u64; 2]);
        let mut rounds = 0;
        while seen.iter().any(|count| *count < 300) {
            rounds += 1;
            assert!(rounds < 100_000, "seed {seed}: {seen:?}");
            for side in 0..2 {
                while pushed[side] < 300 && random.below(3) > 0 {
                    ends[side].push(message(pushed[side]));
                    pushed[side] += 1;
                }
                let blob = ends[side].take(1 + random.below(2000) as usize);
                if ways[1 - side].send(blob, &mut random) {
                    ends[side].rewind();
                }
                if let Some(blob) = ways[side].arrive(&mut random) {
                    match ends[side].accept(&blob) {
                        Ok(messages) => {
                            for each in messages {
                                assert_eq!(each, message(seen[side]), "seed {seed}");
                                seen[side] += 1;
                            }
                        }
                        Err(error) => assert_eq!(error, TrunkError::Damaged),
                    }
                }
            }
        }
        // When all is acknowledged nothing is kept.
        for _ in 0..4 {
            for side in 0..2 {
                let blob = ends[side].take(1 << 20);
                assert!(ends[1 - side].accept(&blob).unwrap().is_empty());
            }
        }
        assert!(ends.iter().all(|end| end.bytes() == 0 && !end.owes()));
    }
}

#[test]
fn another_life_is_refused() {
    let mut old = End::new(1);
    old.push(message(1));
    assert_eq!(End::new(2).accept(&old.take(100)), Err(TrunkError::OtherIncarnation(1)));
}

#[test]
fn what_was_never_sent_can_not_be_acknowledged() {
    let (mut one, mut other) = (End::new(1), End::new(1));
    one.push(message(1));
    other.accept(&one.take(1000)).unwrap();
    let blob = other.take(1000);
    assert_eq!(End::new(1).accept(&blob), Err(TrunkError::BadAcknowledgement(1)));
    one.accept(&blob).unwrap();
    assert_eq!(one.bytes(), 0);
}

#[test]
fn a_call_that_is_made_again_is_answered_again() {
    let (mut head, mut station) = (End::new(1), End::new(1));
    head.push(message(1));
    let call = head.take(1000);
    assert_eq!(station.accept(&call).unwrap().len(), 1);
    station.push(message(2));
    let _lost = station.take(1000);
    assert!(!station.was_repeated());
    assert!(station.accept(&call).unwrap().is_empty());
    assert!(station.was_repeated());
    assert_eq!(head.accept(&station.take(1000)).unwrap(), [message(2)]);
}

#[test]
fn any_bytes_are_refused() {
    let mut random = Random(7);
    for length in 0..200 {
        let bytes: Vec<u8> = (0..length).map(|_| random.below(256) as u8).collect();
        assert_eq!(End::new(1).accept(&bytes), Err(TrunkError::Damaged));
    }
}

#[test]
fn a_blob_has_at_least_one_message_and_no_more_than_fit() {
    let mut end = End::new(1);
    for number in 0..3 {
        end.push(Message { kind: 1, worker: number, content: vec![0; 100] });
    }
    let mut sizes = Vec::new();
    while end.has_outgoing() {
        sizes.push(end.take(150).len());
    }
    assert_eq!(sizes, [157, 157, 157]);
    end.rewind();
    assert!(end.has_outgoing());
    assert_eq!(end.take(1 << 20).len(), 48 + 3 * 109);
}
