//! The first page of a tail: whose it is.
//!
//! Owns the layout of that page. Must not know halves and records.
use std::fs;

/// How many bytes the header takes.
pub const PAGE: usize = 4096;

const MAGIC: [u8; 8] = *b"gf-tail\x01";
const HOST: usize = 64;
const CHECKED: usize = 40 + HOST;

/// Whose tail it is, and how it is laid out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// The run.
    pub run: u64,
    /// Which of its writers.
    pub epoch: u64,
    /// Bytes of each half.
    pub half: usize,
    /// The writer's process.
    pub pid: u32,
    /// The writer's machine.
    pub host: String,
}

impl Header {
    /// The header of a tail that this process writes.
    pub fn own(run: u64, epoch: u64, half: usize) -> Header {
        let host = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
        Header { run, epoch, half, pid: std::process::id(), host: host.trim().to_owned() }
    }

    /// As bytes.
    pub fn page(&self) -> Vec<u8> {
        let mut page = vec![0; PAGE];
        page[..8].copy_from_slice(&MAGIC);
        page[8..16].copy_from_slice(&self.run.to_le_bytes());
        page[16..24].copy_from_slice(&self.epoch.to_le_bytes());
        page[24..32].copy_from_slice(&(self.half as u64).to_le_bytes());
        page[32..36].copy_from_slice(&self.pid.to_le_bytes());
        let host = self.host.as_bytes();
        let length = host.len().min(HOST);
        page[40..40 + length].copy_from_slice(&host[..length]);
        let checksum = crc32fast::hash(&page[..CHECKED]);
        page[CHECKED..CHECKED + 4].copy_from_slice(&checksum.to_le_bytes());
        page
    }

    /// From bytes; nothing if they are not those of a tail, or damaged.
    pub fn read(page: &[u8]) -> Option<Header> {
        let number = |at: usize| Some(u64::from_le_bytes(page.get(at..at + 8)?.try_into().ok()?));
        let checksum = u32::from_le_bytes(page.get(CHECKED..CHECKED + 4)?.try_into().ok()?);
        if page[..8] != MAGIC || crc32fast::hash(&page[..CHECKED]) != checksum {
            return None;
        }
        let host = page[40..40 + HOST].split(|byte| *byte == 0).next().unwrap_or_default();
        Some(Header {
            run: number(8)?,
            epoch: number(16)?,
            half: usize::try_from(number(24)?).ok()?,
            pid: number(32)? as u32,
            host: String::from_utf8_lossy(host).into_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_read_as_it_was_written_and_not_with_one_bit_changed() {
        let header = Header { run: 7, epoch: 2, half: 4096, pid: 4711, host: "host".to_owned() };
        let page = header.page();
        assert_eq!(Header::read(&page), Some(header));
        for bit in 0..(CHECKED + 4) * 8 {
            let mut damaged = page.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(Header::read(&damaged), None, "bit {bit}");
        }
        assert_eq!(Header::read(&page[..50]), None);
    }
}
