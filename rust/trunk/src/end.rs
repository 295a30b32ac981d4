//! One end of a trunk: what was sent and not yet acknowledged, what has arrived early, what comes next.
//!
//! Owns numbers. A number is given once and never again, so a repeated message is known by it.
use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::blob::{self, Head, Message, TrunkError};

/// Messages that may have arrived early; what is beyond that is dropped, and sent again.
const MOST_EARLY: usize = 1 << 16;

/// So many blobs are known again when they come once more.
const MOST_SEEN: usize = 64;

/// One end; the other one has the same incarnation.
#[derive(Debug)]
pub struct End {
    incarnation: u64,
    /// Sent or to be sent, in order; the first one has the number `lowest`.
    unacknowledged: VecDeque<Message>,
    lowest: u64,
    /// The number of the next message to be sent.
    next: u64,
    bytes: usize,
    /// The number of the next message to be handed out.
    expected: u64,
    early: BTreeMap<u64, Message>,
    /// The number of the last blob, and the numbers of those that came last.
    serial: u64,
    seen: BTreeSet<u64>,
    is_repeated: bool,
    /// The other end is to be asked to send again.
    has_failed: bool,
    /// Something has arrived that the other end does not know to have.
    owes: bool,
}

impl End {
    /// An end of the trunk of one life of a station.
    pub fn new(incarnation: u64) -> End {
        End {
            incarnation,
            unacknowledged: VecDeque::new(),
            lowest: 0,
            next: 0,
            bytes: 0,
            expected: 0,
            early: BTreeMap::new(),
            serial: 0,
            seen: BTreeSet::new(),
            is_repeated: false,
            has_failed: false,
            owes: false,
        }
    }

    /// Adds a message to be sent.
    pub fn push(&mut self, message: Message) {
        self.bytes += message.size();
        self.unacknowledged.push_back(message);
    }

    /// True if a message waits to be sent (again).
    pub fn has_outgoing(&self) -> bool {
        self.next < self.lowest + self.unacknowledged.len() as u64 || self.has_failed
    }

    /// True if the other end waits for an acknowledgement.
    pub fn owes(&self) -> bool {
        self.owes
    }

    /// Bytes that are kept until they are acknowledged.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// True if the last blob that was accepted had come before: whoever answers the first call is not listened to.
    pub fn was_repeated(&self) -> bool {
        self.is_repeated
    }

    /// A blob with what waits, of about `most` bytes (a single message may be longer); with nothing but an
    /// acknowledgement if nothing does.
    pub fn take(&mut self, most: usize) -> Vec<u8> {
        let (first, mut body, mut count) = (self.next, Vec::new(), 0);
        for message in self.unacknowledged.iter().skip((first - self.lowest) as usize) {
            if count > 0 && body.len() + message.size() > most {
                break;
            }
            message.append(&mut body);
            count += 1;
        }
        self.next += u64::from(count);
        self.owes = false;
        let rewind = std::mem::take(&mut self.has_failed);
        self.serial += 1;
        let (incarnation, serial) = (self.incarnation, self.serial);
        blob::write(Head { incarnation, serial, acknowledged: self.expected, first, count, rewind }, &body)
    }

    /// An exchange has failed: what it carried, either way, is to be sent again.
    pub fn rewind(&mut self) {
        self.next = self.lowest;
        self.has_failed = true;
    }

    /// Takes a blob; the messages that are new and without a gap before them, in order.
    pub fn accept(&mut self, blob: &[u8]) -> Result<Vec<Message>, TrunkError> {
        let (head, messages) = blob::read(blob)?;
        if head.incarnation != self.incarnation {
            return Err(TrunkError::OtherIncarnation(head.incarnation));
        }
        self.acknowledge(head.acknowledged)?;
        // A blob that comes again is a call that was made again, so the answer to the first one may not have arrived.
        self.is_repeated = !self.seen.insert(head.serial);
        if self.seen.len() > MOST_SEEN {
            self.seen.pop_first();
        }
        if head.rewind || self.is_repeated {
            self.next = self.lowest;
        }
        self.owes |= !messages.is_empty();
        for (number, message) in (head.first..).zip(messages) {
            if number >= self.expected && self.early.len() < MOST_EARLY {
                self.early.insert(number, message);
            }
        }
        let mut ready = Vec::new();
        while let Some(message) = self.early.remove(&self.expected) {
            self.expected += 1;
            ready.push(message);
        }
        Ok(ready)
    }

    fn acknowledge(&mut self, number: u64) -> Result<(), TrunkError> {
        if number > self.lowest + self.unacknowledged.len() as u64 {
            return Err(TrunkError::BadAcknowledgement(number));
        }
        while self.lowest < number {
            if let Some(message) = self.unacknowledged.pop_front() {
                self.bytes -= message.size();
            }
            self.lowest += 1;
        }
        self.next = self.next.max(self.lowest);
        Ok(())
    }
}
