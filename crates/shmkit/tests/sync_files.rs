//! The files of locks: who takes part, what is refused, and the locks beside segments.

#![cfg(target_os = "linux")]
#![allow(missing_docs, clippy::expect_used)]

#[path = "common/locks.rs"]
mod locks;

use std::fs::{self, File};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;

use locks::{Blocking, Named, TIMEOUT, Watchdog, take, take_from_the_dead};
use shmkit::ownership::{Ledger, LedgerDirectory, reap};
use shmkit::segment::lock_header::{Kind, PAGE, PARTICIPANTS, READ, USED, WORD};
use shmkit::segment::{AttachOptions, CreateOptions, Identity, Name, Owner, Segment};
use shmkit::sync::word::lock;
use shmkit::sync::{LockAccess, ReleaseState, SharedEvent, SharedLock};

fn slot(lock: &SharedLock) -> u32 {
    lock::slot(lock.me().expect("open")).expect("it has a slot")
}

fn len(path: &Path) -> u64 {
    fs::metadata(path).expect("it is there").len()
}

fn word(lock: &SharedLock, at: usize) -> &AtomicU32 {
    lock.file().mapping().bytes().atomic(at).expect("inside")
}

#[test]
fn a_slot_that_was_given_back_is_used_again_by_another_owner() {
    let name = Named::new();
    let stays = name.mutex();
    let mut last = None;
    for _ in 0..200 {
        let lock = name.mutex();
        assert_eq!((slot(&stays), slot(&lock)), (0, 1));
        let me = lock.me().expect("open");
        assert_ne!(last.replace(me), Some(me), "nobody mistakes one for the other");
    }
    assert_eq!(len(&name.path()), PAGE as u64);
}

#[test]
fn the_file_grows_with_those_who_take_part() {
    let _watchdog = Watchdog::new(60);
    let name = Named::new();
    let locks: Vec<_> = (0..200).map(|_| name.mutex()).collect();
    assert!(len(&name.path()) >= (PARTICIPANTS + 200 * 64) as u64, "more than three pages");
    for (number, lock) in locks.iter().enumerate() {
        assert_eq!(slot(lock) as usize, number);
        assert_eq!(lock.try_lock(LockAccess::Write), Ok(Some(false)));
        lock.unlock(ReleaseState::Consistent).expect("it had it");
    }
    // Those beyond the first page are waited for like everybody, also by those who joined before.
    for reader in [&locks[61], &locks[62], &locks[63], &locks[199]] {
        take(reader, LockAccess::Read);
        assert_eq!(locks[0].try_lock(LockAccess::Write), Ok(None));
        let writer = Blocking::default();
        thread::scope(|scope| {
            scope.spawn(|| {
                writer.announce();
                take(&locks[0], LockAccess::Write);
                locks[0].unlock(ReleaseState::Consistent).expect("it had it");
            });
            writer.until_asleep();
            reader.unlock_read().expect("it read");
        });
    }
}

#[test]
fn one_more_than_can_take_part_is_refused_and_leaves_the_others_alone() {
    let _watchdog = Watchdog::new(60);
    let name = Named::new();
    let first = name.mutex();
    let file = File::options().read(true).write(true).open(name.path()).expect("its file");
    // SAFETY: plain numbers, for which zero is a value.
    let mut range: libc::flock64 = unsafe { std::mem::zeroed() };
    range.l_type = libc::F_WRLCK as i16;
    range.l_start = (1 << 60) + 1;
    range.l_len = i64::from(lock::SLOTS) - 1;
    // SAFETY: the call takes such a struct.
    let held = unsafe { libc::fcntl(file.as_raw_fd(), libc::F_OFD_SETLK, &raw mut range) };
    assert_eq!(held, 0, "all other slots are held");
    let error = SharedLock::attach(&name.0, false, None).expect_err("no slot is left");
    assert_eq!(error.code, "ERR_SHM_TOO_MANY");
    assert_eq!(first.try_lock(LockAccess::Write), Ok(Some(false)));
    drop(file);
    assert_eq!(slot(&name.mutex()), 1);
}

#[test]
fn what_is_no_lock_or_another_kind_is_refused() {
    let refused = |name: &Named, code: &str| {
        let error = SharedLock::attach(&name.0, false, None).expect_err("no mutex");
        assert_eq!(error.code, code);
        let error = SharedLock::create_or_attach(&name.options()).expect_err("no mutex");
        assert_eq!(error.code, code);
    };
    let bytes = Named::new();
    fs::write(bytes.path(), [0xa5; PAGE]).expect("written");
    refused(&bytes, "ERR_SHM_NOT_A_LOCK");
    assert_eq!(fs::read(bytes.path()).expect("read"), [0xa5; PAGE], "and nothing is written to it");
    let event = Named::new();
    let _event = SharedEvent::create_or_attach(&event.options()).expect("an event");
    refused(&event, "ERR_SHM_NOT_A_LOCK");
    let mutex = Named::new();
    drop(mutex.mutex());
    let error = SharedEvent::attach(&mutex.0, false, None).expect_err("a mutex");
    assert_eq!(error.code, "ERR_SHM_NOT_A_LOCK");
    let file = File::options().write(true).open(mutex.path()).expect("its file");
    file.write_all_at(&2u32.to_ne_bytes(), 12).expect("written");
    refused(&mutex, "ERR_SHM_VERSION");
    file.write_all_at(&1u32.to_ne_bytes(), 12).expect("written");
    file.set_len(1000).expect("cut");
    let error = SharedLock::attach(&mutex.0, false, None).expect_err("cut short");
    assert_eq!(error.code, "ERR_SHM_CORRUPT");
    file.set_len(10).expect("cut");
    let error = SharedLock::attach(&mutex.0, false, None).expect_err("cut short");
    assert_eq!(error.code, "ERR_SHM_NOT_A_LOCK");
}

#[test]
fn random_words_in_the_file_cost_the_lock_nothing_but_time() {
    let _watchdog = Watchdog::new(60);
    let name = Named::new();
    let (one, two) = (name.mutex(), name.mutex());
    let nobodys = lock::owner(4000, 3);
    let earlier = one.me().expect("open") + (1 << 12);
    let no_slot = 5 << 12;
    for owner in [nobodys, earlier, no_slot, nobodys | lock::WAITERS | lock::STARVING] {
        word(&one, WORD).store(owner, Ordering::SeqCst);
        assert!(take_from_the_dead(&one, LockAccess::Write), "{owner:#x}");
        one.unlock(ReleaseState::Consistent).expect("it had it");
        word(&one, WORD).store(owner, Ordering::SeqCst);
        assert_eq!(two.try_lock(LockAccess::Write), Ok(Some(true)), "{owner:#x}");
        two.unlock(ReleaseState::Consistent).expect("it had it");
    }
    for used in [u32::MAX, 4095, 63] {
        word(&one, USED).store(used, Ordering::SeqCst);
        word(&one, READ).store(77, Ordering::SeqCst);
        assert_eq!(two.try_lock(LockAccess::Write), Ok(Some(false)), "{used}");
        two.unlock(ReleaseState::Consistent).expect("it had it");
    }
    // A word that says that somebody reads whom there is not.
    word(&one, PARTICIPANTS + 64 * 30).store(u32::MAX, Ordering::SeqCst);
    assert!(!take_from_the_dead(&one, LockAccess::Write));
}

fn segment(name: &Named) -> Segment {
    Segment::create(100, &name.options(), &AtomicBool::new(false)).expect("a segment")
}

fn attach(name: &Named) -> Segment {
    Segment::attach(&name.0, &AttachOptions::default()).expect("attached")
}

fn sidecar(segment: &Segment) -> Arc<SharedLock> {
    Arc::new(SharedLock::sidecar(segment).expect("a lock"))
}

#[test]
fn all_who_have_a_segment_share_its_lock_and_nothing_of_it_is_in_its_bytes() {
    let name = Named::new();
    let (one, two) = (segment(&name), attach(&name));
    let (first, second) = (sidecar(&one), sidecar(&two));
    assert_eq!(first.file().kind(), Kind::Sidecar(one.id()));
    assert_eq!(first.file().id(), second.file().id());
    assert!(first.file().created() && !second.file().created());
    assert_eq!(first.try_lock(LockAccess::Write), Ok(Some(false)));
    assert_eq!(second.try_lock(LockAccess::Write), Ok(None));
    assert_eq!(fs::read(name.path()).expect("read"), [0; 100]);
    shmkit::ownership::unlink(&name.0, one.id()).expect("unlinked");
    assert!(!name.sidecar_path().exists(), "it goes with its segment");
    assert_eq!(second.try_lock(LockAccess::Write), Ok(None), "and is a lock to those who have it");
    first.unlock(ReleaseState::Consistent).expect("it had it");
    assert_eq!(second.try_lock(LockAccess::Write), Ok(Some(false)));
}

#[test]
fn two_segments_of_one_name_never_share_a_lock() {
    let name = Named::new();
    let (old, never_locked) = (segment(&name), attach(&name));
    let first = sidecar(&old);
    shmkit::ownership::unlink(&name.0, old.id()).expect("unlinked");
    assert_eq!(SharedLock::sidecar(&never_locked).expect_err("no name").code, "ERR_SHM_UNLINKED");
    let new = segment(&name);
    let second = sidecar(&new);
    assert_ne!(first.file().id(), second.file().id());
    assert_eq!(first.try_lock(LockAccess::Write), Ok(Some(false)));
    assert_eq!(second.try_lock(LockAccess::Write), Ok(Some(false)));
    assert_eq!(SharedLock::sidecar(&never_locked).expect_err("no name").code, "ERR_SHM_UNLINKED");
    drop(first);
    assert!(name.sidecar_path().exists(), "whoever leaves the old one leaves the new one alone");
    assert_eq!(sidecar(&attach(&name)).file().id(), second.file().id());
}

#[test]
fn a_lock_that_an_earlier_segment_left_is_replaced() {
    let name = Named::new();
    let old = segment(&name);
    let first = sidecar(&old);
    fs::remove_file(name.path()).expect("removed by somebody who knows of no locks");
    let new = segment(&name);
    let second = sidecar(&new);
    assert_ne!(first.file().id(), second.file().id());
    assert_eq!(second.file().kind(), Kind::Sidecar(new.id()));
    drop(first);
    assert_eq!(sidecar(&attach(&name)).file().id(), second.file().id());
}

#[test]
fn a_lock_whose_segment_somebody_removed_goes_with_who_leaves_it() {
    let name = Named::new();
    let segment = segment(&name);
    let (first, second) = (sidecar(&segment), sidecar(&segment));
    drop(first);
    assert!(name.sidecar_path().exists(), "its segment is there");
    fs::remove_file(name.path()).expect("removed by somebody who knows of no locks");
    drop(second);
    assert!(!name.sidecar_path().exists());
}

#[test]
fn what_a_user_put_where_the_lock_would_be_is_not_touched() {
    let name = Named::new();
    let segment = segment(&name);
    let sidecar = Name::new(&format!("{}.lk", name.0.as_str())).expect("a name");
    fs::write(name.sidecar_path(), b"my own").expect("written");
    assert_eq!(SharedLock::sidecar(&segment).expect_err("taken").code, "ERR_SHM_NOT_A_LOCK");
    shmkit::ownership::unlink(&name.0, segment.id()).expect("unlinked");
    assert_eq!(fs::read(name.sidecar_path()).expect("it is there"), b"my own");
    fs::remove_file(name.sidecar_path()).expect("removed");
    // A mutex of that name is no lock of a segment either.
    let segment = self::segment(&name);
    let options = CreateOptions { name: Some(sidecar), ..CreateOptions::default() };
    let mutex = SharedLock::create_or_attach(&options).expect("a mutex");
    assert_eq!(SharedLock::sidecar(&segment).expect_err("taken").code, "ERR_SHM_NOT_A_LOCK");
    shmkit::ownership::unlink(&name.0, segment.id()).expect("unlinked");
    drop(mutex);
    assert!(name.sidecar_path().exists());
}

/// Some make and lock, some unlink: nobody has a lock that others of the same segment do not have.
#[test]
fn nobody_gets_a_lock_of_his_own_while_its_segment_is_unlinked() {
    let _watchdog = Watchdog::new(120);
    let name = Named::new();
    for round in 0..300 {
        let segment = segment(&name);
        let early = sidecar(&segment);
        let handles: Vec<_> = (0..3).map(|_| attach(&name)).collect();
        thread::scope(|scope| {
            let late: Vec<_> =
                handles.iter().map(|handle| scope.spawn(move || SharedLock::sidecar(handle))).collect();
            if round % 2 == 0 {
                thread::yield_now();
            }
            shmkit::ownership::unlink(&name.0, segment.id()).expect("unlinked");
            for outcome in late {
                match outcome.join().expect("no panic") {
                    Ok(lock) => assert_eq!(lock.file().id(), early.file().id(), "in round {round}"),
                    Err(error) => assert_eq!(error.code, "ERR_SHM_UNLINKED", "in round {round}"),
                }
            }
        });
        assert!(!name.sidecar_path().exists(), "nothing is left in round {round}");
    }
}

/// Sidecars of segments in another directory than the one that locks are made in.
#[test]
fn what_the_dead_owned_takes_its_lock_along() {
    let path = PathBuf::from(format!("/dev/shm/shmkit-test-sync-{}", std::process::id()));
    fs::create_dir(&path).expect("a directory");
    let ledgers = LedgerDirectory::at(&path);
    let ledger = Ledger::new(ledgers.clone()).expect("a ledger");
    let id_of = |file: &File| {
        let meta = file.metadata().expect("its metadata");
        Identity { device: meta.dev(), inode: meta.ino() }
    };
    let sidecar_of = |id: Identity| {
        let words = [u64::from_ne_bytes(*b"SHMLOCK\0"), 1 << 32 | 1, 3, id.device, id.inode];
        words.iter().flat_map(|word| word.to_ne_bytes()).collect::<Vec<u8>>()
    };
    for (name, sidecars_are_of_others) in [("mine", false), ("strange", true)] {
        let id = id_of(&File::create(path.join(name)).expect("a file"));
        let named = Name::new(name).expect("a name");
        ledger.claim(&named, id).expect("claimed");
        ledger.published(&named, id);
        let of = Identity { inode: id.inode + u64::from(sidecars_are_of_others), ..id };
        fs::write(path.join(format!("{name}.lk")), sidecar_of(of)).expect("written");
    }
    drop(ledger);
    let removed = reap(&ledgers, TIMEOUT).expect("reaped").removed;
    assert_eq!(removed.len(), 2);
    let left = |name: &str| path.join(name).exists();
    let found = (left("mine"), left("mine.lk"), left("strange"), left("strange.lk"));
    let _ = fs::remove_dir_all(&path);
    assert_eq!(found, (false, false, false, true));
}
