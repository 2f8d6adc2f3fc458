//! The bytes of a ledger.
//!
//! ```text
//! 0     8   "SHMLEDGR"
//! 8     4   version of whoever wrote it
//! 12    4   the oldest version that can read it
//! 16    4   pid, in its own PID namespace          20  4  zero
//! 24    8   when that process started, in clock ticks since boot
//! 32    8   inode of its PID namespace
//! 40    16  token
//! 4096      records of 280 bytes, in any order:
//!           0   4    0 free, 1 owned
//!           4   4    length of the name
//!           8   8    device
//!           16  8    inode
//!           24  256  name, padded with zeros
//! ```
//!
//! A record is written before its segment is published, and cleared after its segment is unlinked. A torn one
//! does no harm, because nothing is unlinked whose name does not have exactly that inode.

use std::fmt;

use crate::segment::{Identity, LayoutVersion, Name};
use crate::sys::process::Process;
use crate::{Error, Result};

const MAGIC: [u8; 8] = *b"SHMLEDGR";
const LAYOUT: LayoutVersion = LayoutVersion::only(1);
const HEADER: usize = 56;
const RECORDS_AT: usize = 4096;
const RECORD: usize = 280;
const NAME_AT: usize = 24;
const OWNED: u32 = 1;

const _: () = assert!(HEADER <= RECORDS_AT && NAME_AT + 256 == RECORD && RECORD.is_multiple_of(8));

/// What names a ledger: 128 random bits.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Token(pub(crate) [u8; 16]);

impl Token {
    pub(super) fn random() -> Result<Self> {
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes).map_err(|e| Error::os(e.raw_os_error().unwrap_or(5), "getrandom"))?;
        Ok(Token(bytes))
    }

    /// The token of these bytes.
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        Token(bytes)
    }

    /// Its bytes.
    pub fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// As many hexadecimal digits as it takes; nothing else is a token.
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() != 32 || !text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
            return None;
        }
        u128::from_str_radix(text, 16).ok().map(|bits| Token(bits.to_be_bytes()))
    }
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", u128::from_be_bytes(self.0))
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A segment that is owned.
pub(super) type Entry = (Name, Identity);

/// What could be read of a ledger.
pub(super) enum Contents {
    /// All of it, or what is left where it was cut short.
    Entries(Process, Vec<Entry>),
    /// Nothing: it is from a version that says that we cannot.
    OtherVersion,
    /// Nothing: it is no ledger.
    Garbled,
}

/// All of a ledger that has these entries.
pub(super) fn ledger(token: Token, owner: Process, entries: &[Entry]) -> Vec<u8> {
    let mut bytes = header(token, owner).to_vec();
    if !entries.is_empty() {
        bytes.resize(RECORDS_AT, 0);
        entries.iter().for_each(|entry| bytes.extend(record(entry)));
    }
    bytes
}

fn header(token: Token, owner: Process) -> [u8; HEADER] {
    let mut bytes = [0; HEADER];
    let mut put = |at: usize, field: &[u8]| bytes[at..at + field.len()].copy_from_slice(field);
    put(0, &MAGIC);
    put(8, &LAYOUT.word().to_ne_bytes());
    put(16, &owner.pid.to_ne_bytes());
    put(24, &owner.started.to_ne_bytes());
    put(32, &owner.namespace.to_ne_bytes());
    put(40, &token.0);
    bytes
}

/// Where the record `slot` is.
pub(super) fn record_at(slot: usize) -> u64 {
    (RECORDS_AT + slot * RECORD) as u64
}

/// A record that says that its slot is free: its first word alone.
pub(super) const FREE: [u8; 4] = 0u32.to_ne_bytes();

pub(super) fn record((name, id): &Entry) -> [u8; RECORD] {
    let name = name.as_str().as_bytes();
    let mut bytes = [0; RECORD];
    let mut put = |at: usize, field: &[u8]| bytes[at..at + field.len()].copy_from_slice(field);
    put(0, &OWNED.to_ne_bytes());
    put(4, &(name.len() as u32).to_ne_bytes()); // at most 255, by `Name`
    put(8, &id.device.to_ne_bytes());
    put(16, &id.inode.to_ne_bytes());
    put(NAME_AT, name);
    bytes
}

pub(super) fn parse(bytes: &[u8]) -> Contents {
    if bytes.len() < HEADER || bytes[..8] != MAGIC {
        return Contents::Garbled;
    }
    if !LAYOUT.fits(u64_at(bytes, 8)) {
        return Contents::OtherVersion;
    }
    let owner = Process { pid: u32_at(bytes, 16), started: u64_at(bytes, 24), namespace: u64_at(bytes, 32) };
    let records = bytes.get(RECORDS_AT..).unwrap_or_default();
    Contents::Entries(owner, records.chunks_exact(RECORD).filter_map(entry).collect())
}

fn entry(record: &[u8]) -> Option<Entry> {
    if u32_at(record, 0) != OWNED {
        return None;
    }
    let length = u32_at(record, 4) as usize;
    let name = std::str::from_utf8(record[NAME_AT..].get(..length)?).ok()?;
    // A name with a slash in it, or '..', is none: nothing outside of the directory is ever looked at.
    let name = Name::new(name).ok()?;
    Some((name, Identity { device: u64_at(record, 8), inode: u64_at(record, 16) }))
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..at + 4).and_then(|field| field.try_into().ok()).map_or(0, u32::from_ne_bytes)
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    bytes.get(at..at + 8).and_then(|field| field.try_into().ok()).map_or(0, u64::from_ne_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWNER: Process = Process { pid: 7, started: 8, namespace: 9 };

    fn ledger(entries: &[Entry]) -> Vec<u8> {
        super::ledger(Token([5; 16]), OWNER, entries)
    }

    fn entry_of(name: &str) -> Entry {
        (Name::new(name).expect("a name"), Identity { device: 1, inode: 2 })
    }

    fn entries(bytes: &[u8]) -> Vec<Entry> {
        match parse(bytes) {
            Contents::Entries(owner, entries) => {
                assert_eq!(owner, OWNER);
                entries
            }
            _ => panic!("not read"),
        }
    }

    #[test]
    fn what_is_written_is_read() {
        let all = [entry_of("a"), entry_of(&"n".repeat(255)), entry_of("ünï")];
        assert_eq!(entries(&ledger(&all)), all);
    }

    #[test]
    fn one_cut_short_keeps_its_whole_records() {
        let all = [entry_of("a"), entry_of("b")];
        let bytes = ledger(&all);
        for cut in 0..bytes.len() {
            match parse(&bytes[..cut]) {
                Contents::Garbled => assert!(cut < HEADER),
                Contents::Entries(_, left) => {
                    assert_eq!(left, all[..cut.saturating_sub(RECORDS_AT) / RECORD])
                }
                Contents::OtherVersion => panic!("cut at {cut}"),
            }
        }
    }

    #[test]
    fn records_that_name_a_path_are_none() {
        for bad in ["../etc/passwd", "..", ".", "", "a/b", "/abs"] {
            let mut bytes = ledger(&[entry_of("good"), entry_of("good")]);
            let at = RECORDS_AT + NAME_AT;
            bytes[at..at + 256].fill(0);
            bytes[at..at + bad.len()].copy_from_slice(bad.as_bytes());
            bytes[RECORDS_AT + 4..RECORDS_AT + 8].copy_from_slice(&(bad.len() as u32).to_ne_bytes());
            assert_eq!(entries(&bytes), [entry_of("good")], "{bad}");
        }
    }

    #[test]
    fn lengths_and_bytes_that_make_no_name_are_none() {
        let good = ledger(&[entry_of("good")]);
        for length in [256u32, 257, 300, u32::MAX] {
            let mut bytes = good.clone();
            bytes[RECORDS_AT + 4..RECORDS_AT + 8].copy_from_slice(&length.to_ne_bytes());
            assert!(entries(&bytes).is_empty(), "{length}");
        }
        let mut bytes = good.clone();
        bytes[RECORDS_AT + NAME_AT] = 0xff;
        assert!(entries(&bytes).is_empty());
    }

    #[test]
    fn one_of_another_version_is_left_to_that_version() {
        for (made, from, is_ours) in [(2, 1, true), (2, 2, false), (0, 0, false)] {
            let mut bytes = ledger(&[entry_of("a")]);
            bytes[8..12].copy_from_slice(&u32::to_ne_bytes(made));
            bytes[12..16].copy_from_slice(&u32::to_ne_bytes(from));
            assert_eq!(!matches!(parse(&bytes), Contents::OtherVersion), is_ours, "{made}, {from}");
        }
    }

    #[test]
    fn tokens_are_32_hexadecimal_digits() {
        let token = Token::random().expect("random");
        assert_eq!(Token::parse(&token.to_string()), Some(token));
        for bad in ["", "0", "+123456789012345678901234567890ab", "ABCDEF0123456789ABCDEF0123456789"] {
            assert_eq!(Token::parse(bad), None, "{bad}");
        }
    }
}
