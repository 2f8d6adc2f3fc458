//! The bytes of a lock's file, and what it is the lock of.
//!
//! ```text
//! 0     8   "SHMLOCK\0"
//! 8     4   version of whoever made it
//! 12    4   the oldest version that can use it
//! 16    4   1 a mutex, 2 an event, 3 the sidecar lock of a segment 20  4  zero
//! 24    8   device, and
//! 32    8   inode of that segment
//! 64    4   the word: see `sync::word`
//! 68    4   1 once somebody has read under the lock
//! 72    4   how many of the participants' slots were ever used
//! 128       participants of 64 bytes: see `sync::participants`; the file grows with them
//! ```
//!
//! The *sidecar lock* of a segment has that segment's name and `.lk`, because a segment is user data from its first
//! byte on. It lives as long as the segment does, not as long as whoever made it, and it is told from one of an
//! earlier segment of that name by the inode in it.

use std::io::Read;
use std::path::Path;

use crate::bytes::SharedBytes;
use crate::error::system_error;
use crate::segment::{Identity, LayoutVersion, Name};
use crate::sys::descriptors::AsFd;
use crate::sys::file::{self, FileKind};
use crate::{Error, Result};

const MAGIC: u64 = u64::from_ne_bytes(*b"SHMLOCK\0");
const LAYOUT: LayoutVersion = LayoutVersion::only(1);
const HEADER: usize = 40;
/// Where the word is.
pub const WORD: usize = 64;
/// Where it is said that somebody has read.
pub const READ: usize = 68;
/// Where it is said how many slots were used.
pub const USED: usize = 72;
/// Where the participants are.
pub const PARTICIPANTS: usize = 128;
/// How long each of them is.
pub const PARTICIPANT: usize = 64;
/// How long the file is at first.
pub const PAGE: usize = 4096;

const _: () = assert!(HEADER <= WORD && USED < PARTICIPANTS && PARTICIPANTS.is_multiple_of(64));

/// What a lock's file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A mutex of its own name.
    Mutex,
    /// An event of its own name.
    Event,
    /// The sidecar lock of this segment.
    Sidecar(Identity),
}

impl Kind {
    /// In words.
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Mutex => "mutex",
            Kind::Event => "event",
            Kind::Sidecar(_) => "sidecar",
        }
    }

    fn number(self) -> u64 {
        match self {
            Kind::Mutex => 1,
            Kind::Event => 2,
            Kind::Sidecar(_) => 3,
        }
    }
}

/// Writes the header of a fresh file, which is zeros.
pub(crate) fn write(bytes: SharedBytes<'_>, kind: Kind) -> Result<()> {
    let id = match kind {
        Kind::Sidecar(id) => id,
        Kind::Mutex | Kind::Event => Identity { device: 0, inode: 0 },
    };
    let words = [MAGIC, LAYOUT.word(), kind.number(), id.device, id.inode];
    let all = words.iter().enumerate().try_for_each(|(at, word)| bytes.store_word(at * 8, *word));
    all.ok_or_else(|| Error::own("ERR_SHM_CORRUPT", "the file is too short for a lock"))
}

/// What the file of an open handle holds.
///
/// # Errors
/// `ERR_SHM_NOT_A_LOCK`, `ERR_SHM_VERSION`; else the system's.
pub(crate) fn read(of: impl AsFd) -> Result<Kind> {
    let mut header = [0; HEADER];
    let read = file::read_at(of, &mut header, 0).map_err(system_error("read"))?;
    parse(&header[..read])
}

fn parse(header: &[u8]) -> Result<Kind> {
    let word = |at: usize| {
        let field = header.get(at * 8..at * 8 + 8).and_then(|field| field.try_into().ok());
        field.map_or(0, u64::from_ne_bytes)
    };
    let id = Identity { device: word(3), inode: word(4) };
    let kind = match word(2) {
        1 => Kind::Mutex,
        2 => Kind::Event,
        3 => Kind::Sidecar(id),
        _ => return Err(not_a_lock("there is no lock or event in this segment")),
    };
    if word(0) != MAGIC || header.len() < HEADER {
        return Err(not_a_lock("there is no lock or event in this segment"));
    }
    LAYOUT.check(word(1), "lock")?;
    Ok(kind)
}

pub(crate) fn not_a_lock(message: &str) -> Error {
    Error::own("ERR_SHM_NOT_A_LOCK", message)
}

/// The kind and the identity of the lock file at `path`; `None` if it is not a lock.
pub(crate) fn read_path(path: &Path) -> Option<(Kind, Identity)> {
    let mut file = file::open_untrusted(path).ok()?;
    let stat = file::stat(&file).ok().filter(|stat| stat.kind == FileKind::Regular)?;
    let mut header = [0; HEADER];
    file.read_exact(&mut header).ok()?;
    Some((parse(&header).ok()?, stat.id))
}

/// The sidecar lock of a segment, in the directory of both; `None` if it does not exist, or belongs to another
/// segment.
pub(crate) fn sidecar_of(directory: &Path, name: &Name, segment: Identity) -> Option<(Name, Identity)> {
    let sidecar = name.sidecar();
    match read_path(&directory.join(sidecar.as_str()))? {
        (Kind::Sidecar(of), id) if of == segment => Some((sidecar, id)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(kind: Kind) -> Vec<u8> {
        let mut words = [0u64; 8];
        write(SharedBytes::over(&mut words), kind).expect("room");
        words.iter().flat_map(|word| word.to_ne_bytes()).collect()
    }

    #[test]
    fn what_is_written_is_read() {
        for kind in [Kind::Mutex, Kind::Event, Kind::Sidecar(Identity { device: 3, inode: 4 })] {
            let bytes = written(kind);
            assert_eq!(parse(&bytes), Ok(kind));
            for cut in 0..HEADER {
                assert_eq!(parse(&bytes[..cut]).expect_err("short").code, "ERR_SHM_NOT_A_LOCK", "{cut}");
            }
        }
    }

    #[test]
    fn others_are_refused() {
        let mut bytes = written(Kind::Mutex);
        bytes[12] = 2;
        assert_eq!(parse(&bytes).expect_err("newer").code, "ERR_SHM_VERSION");
        bytes[0] ^= 1;
        assert_eq!(parse(&bytes).expect_err("no magic").code, "ERR_SHM_NOT_A_LOCK");
        assert_eq!(parse(&[0; 64]).expect_err("zeros").code, "ERR_SHM_NOT_A_LOCK");
    }
}
