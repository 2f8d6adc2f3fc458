//! Against the `shared_memory` crate: they open ours, we open theirs, by name.

#![allow(clippy::expect_used)]

mod common;

use common::{Scratch, attach, bytes, fresh_name};
use shared_memory::{Shmem, ShmemConf, ShmemError};
use shmkit::segment::Name;

/// How they write our name.
fn os_id(name: &Name) -> String {
    format!("/{}", name.as_str())
}

fn open_theirs(name: &Name) -> Result<Shmem, ShmemError> {
    ShmemConf::new().os_id(os_id(name)).open()
}

fn create_theirs(name: &Name, size: usize) -> Result<Shmem, ShmemError> {
    ShmemConf::new().os_id(os_id(name)).size(size).create()
}

fn peek(theirs: &Shmem, at: usize) -> u8 {
    assert!(at < theirs.len());
    // SAFETY: inside their mapping, which lives as long as `theirs`; nobody else writes meanwhile.
    unsafe { theirs.as_ptr().add(at).read_volatile() }
}

fn poke(theirs: &Shmem, at: usize, value: u8) {
    assert!(at < theirs.len());
    // SAFETY: as in `peek`.
    unsafe { theirs.as_ptr().add(at).write_volatile(value) };
}

const SIZES: [usize; 6] = [1, 4095, 4096, 4097, 65_536, 1_000_003];

#[test]
fn they_open_ours_and_see_the_same_bytes_both_ways() {
    for size in SIZES {
        let ours = Scratch::new(size);
        let theirs = open_theirs(ours.0.name()).expect("open");
        assert_eq!(theirs.len(), size);
        assert!((0..size).all(|at| peek(&theirs, at) == 0), "new memory is zeros");
        ours.bytes().store_byte(size - 1, 0xa5).expect("inside");
        assert_eq!(peek(&theirs, size - 1), 0xa5);
        poke(&theirs, 0, 0x5a);
        assert_eq!(ours.bytes().load_byte(0), Some(0x5a));
    }
}

#[test]
fn we_open_theirs_and_see_the_same_bytes_both_ways() {
    for size in SIZES {
        let name = fresh_name();
        let theirs = create_theirs(&name, size).expect("create");
        let ours = attach(&name).expect("attach");
        assert_eq!(ours.size(), size);
        assert!(!ours.created());
        poke(&theirs, size - 1, 0xa5);
        assert_eq!(bytes(&ours).load_byte(size - 1), Some(0xa5));
        bytes(&ours).store_byte(0, 0x5a).expect("inside");
        assert_eq!(peek(&theirs, 0), 0x5a);
    }
}

#[test]
fn a_name_is_one_name_for_both() {
    let ours = Scratch::new(64);
    assert!(matches!(create_theirs(ours.0.name(), 64), Err(ShmemError::MappingIdExists)));
    let name = fresh_name();
    let theirs = create_theirs(&name, 64).expect("create");
    let options = shmkit::segment::CreateOptions { name: Some(name.clone()), ..Default::default() };
    let error = shmkit::segment::Segment::create(64, &options, &false.into()).expect_err("taken");
    assert_eq!((error.code, error.segment.as_deref()), ("EEXIST", Some(name.as_str())));
    drop(theirs); // the owner's end is the name's
    assert_eq!(attach(&name).expect_err("gone").code, "ENOENT");
}

#[test]
fn the_end_of_their_handle_leaves_our_segment() {
    let ours = Scratch::new(64);
    let theirs = open_theirs(ours.0.name()).expect("open");
    poke(&theirs, 0, 7);
    drop(theirs);
    assert_eq!(bytes(&attach(ours.0.name()).expect("attach")).load_byte(0), Some(7));
}

#[test]
fn our_unlink_is_one_for_them_and_takes_no_memory_from_them() {
    let ours = Scratch::new(64);
    let theirs = open_theirs(ours.0.name()).expect("open");
    shmkit::segment::unlink(ours.0.name(), ours.0.id()).expect("unlink");
    assert!(open_theirs(ours.0.name()).is_err());
    poke(&theirs, 0, 7);
    assert_eq!(ours.bytes().load_byte(0), Some(7));
}
