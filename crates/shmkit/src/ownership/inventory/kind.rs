//! What a segment's bytes look like. They are read, never mapped: whoever made the segment may cut it short
//! meanwhile.

use std::path::Path;

use crate::descriptor::ObjectKind;
use crate::segment::Identity;
use crate::segment::lock_header;
use crate::sys::file::{File, open_untrusted, read_exact_at};

/// What is in a segment, as its bytes have it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// What a descriptor would name; raw bytes, as far as anyone can tell, are `Memory`.
    Object(ObjectKind),
    /// A mutex, an event, or the sidecar lock of this segment.
    Lock(Option<Identity>),
}

impl Kind {
    /// As descriptors have it.
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Object(kind) => kind.as_str(),
            Kind::Lock(_) => "lock",
        }
    }
}

const NPY: &[u8] = b"\x93NUMPY";
const DICT: &[u8] = b"SHMDICT\0";
const QUEUE: &[u8] = b"SHMQUEUE";
const BROADCAST: &[u8] = b"SHMBCAST";
/// No list has a longer header than this is worth reading.
const ITEMS_MAX: u64 = 16 << 20;

/// The kind of the segment in this file, `Memory` where it cannot be read.
pub(super) fn of(path: &Path, size: u64) -> Kind {
    match lock_header::read_path(path) {
        Some((lock_header::Kind::Sidecar(of), _)) => return Kind::Lock(Some(of)),
        Some(_) => return Kind::Lock(None),
        None => {}
    }
    match open_untrusted(path) {
        Ok(file) if starts_with(&file, NPY) && version_of_npy(&file) => Kind::Object(ObjectKind::Array),
        Ok(file) if starts_with(&file, DICT) => Kind::Object(ObjectKind::Dict),
        Ok(file) if starts_with(&file, QUEUE) => Kind::Object(ObjectKind::Queue),
        Ok(file) if starts_with(&file, BROADCAST) => Kind::Object(ObjectKind::Broadcast),
        Ok(file) if is_list(&file, size).unwrap_or(false) => Kind::Object(ObjectKind::List),
        _ => Kind::Object(ObjectKind::Memory),
    }
}

fn starts_with(file: &File, magic: &[u8]) -> bool {
    let mut start = [0; 8];
    read_exact_at(file, &mut start, 0).is_ok() && start.starts_with(magic)
}

fn version_of_npy(file: &File) -> bool {
    let mut version = [0];
    read_exact_at(file, &mut version, NPY.len() as u64).is_ok() && matches!(version[0], 1..=3)
}

/// The offsets of a list rise from 0 to where they must end for its size, and every code is one; chance does not
/// do that.
fn is_list(file: &File, size: u64) -> std::io::Result<bool> {
    let mut word = [0; 8];
    read_exact_at(file, &mut word, 0)?;
    let items = u64::from_ne_bytes(word);
    if items == 0 || items > ITEMS_MAX || size < 16 + 17 * items {
        return Ok(false);
    }
    let data = size - 16 - 17 * items;
    let mut offsets = vec![0; (items as usize + 1) * 8];
    read_exact_at(file, &mut offsets, 8)?;
    let offsets: Vec<u64> = offsets.as_chunks().0.iter().map(|word| u64::from_ne_bytes(*word)).collect();
    let rising = offsets.windows(2).all(|pair| pair[0] < pair[1] && pair[0].is_multiple_of(8));
    if offsets.first() != Some(&0) || offsets.last() != Some(&data) || !rising {
        return Ok(false);
    }
    let mut codes = vec![0; items as usize];
    read_exact_at(file, &mut codes, 16 + data + 16 * items)?;
    Ok(codes.iter().all(|&code| code <= 3))
}
