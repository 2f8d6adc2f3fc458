//! Ledgers in a directory of their own. A ledger that is dropped is that of a dead process: its lock is gone.

#![cfg(target_os = "linux")]
#![allow(missing_docs, clippy::expect_used)]

use std::fs::{self, File};
use std::os::fd::AsFd;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

use shmkit::ownership::{Ledger, LedgerDirectory, PreparedLedger, orphans, reap, survey};
use shmkit::segment::{Identity, Name, Owner};

const TIMEOUT: Duration = Duration::from_secs(10);

/// A shared-memory directory that goes with the test.
struct Place {
    path: PathBuf,
    ledgers: LedgerDirectory,
}

impl Place {
    fn new() -> Self {
        static LAST: AtomicU32 = AtomicU32::new(0);
        let number = LAST.fetch_add(1, Ordering::Relaxed);
        let path = PathBuf::from(format!("/dev/shm/shmkit-test-ledger-{}-{number}", std::process::id()));
        fs::create_dir(&path).expect("a directory");
        let ledgers = LedgerDirectory::at(&path);
        Place { path, ledgers }
    }

    fn ledger(&self) -> Ledger {
        Ledger::new(self.ledgers.clone()).expect("a ledger")
    }

    /// A segment of this name, whoever had the name before.
    fn segment(&self, name: &str) -> (Name, Identity) {
        let path = self.path.join(name);
        let _ = fs::remove_file(&path);
        let meta = File::create(path).expect("a file").metadata().expect("its metadata");
        (Name::new(name).expect("a name"), Identity { device: meta.dev(), inode: meta.ino() })
    }

    fn owned(&self, ledger: &Ledger, name: &str) -> (Name, Identity) {
        let (name, id) = self.segment(name);
        ledger.claim(&name, id).expect("claimed");
        ledger.published(&name, id);
        (name, id)
    }

    fn has(&self, name: &str) -> bool {
        self.path.join(name).exists()
    }

    fn reap(&self) -> Vec<String> {
        let reaped = reap(&self.ledgers, TIMEOUT).expect("reaped");
        reaped.removed.iter().map(|name| name.as_str().to_owned()).collect()
    }
}

/// Tells the others that it is over, also when a check failed.
struct Ends<'a>(&'a AtomicBool);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.path);
    }
}

#[test]
fn what_the_dead_owned_goes_and_what_the_living_own_stays() {
    let place = Place::new();
    let (dead, alive) = (place.ledger(), place.ledger());
    place.owned(&dead, "of-the-dead");
    place.owned(&alive, "of-the-living");
    assert!(place.reap().is_empty());
    drop(dead);
    assert_eq!(orphans(&place.ledgers).expect("orphans").len(), 1);
    assert_eq!(place.reap(), ["of-the-dead"]);
    assert!(place.has("of-the-living") && !place.has("of-the-dead"));
    assert_eq!(survey(&place.ledgers).expect("survey").ledgers.len(), 1);
    drop(alive);
    assert_eq!(place.reap(), ["of-the-living"]);
    assert!(!place.ledgers.path().exists(), "the last one takes the directory along");
}

#[test]
fn what_is_handed_over_is_at_every_moment_somebodys() {
    let place = Place::new();
    let (giver, new_owner) = (place.ledger(), place.ledger());
    let (name, id) = place.owned(&giver, "handed-over");
    new_owner.adopt(&name, id).expect("adopted");
    // The new owner is dead, and no process has found out.
    let token = new_owner.token();
    drop(new_owner);
    assert!(giver.hand_over(&name, id, Some(token)).expect("handed over"));
    assert!(!giver.owns(id).expect("asked"));
    assert_eq!(place.reap(), ["handed-over"]);
    // Somebody has: the segment stayed because of the giver, who keeps it.
    let (name, id) = place.owned(&giver, "kept");
    assert!(!giver.hand_over(&name, id, Some(token)).expect("asked"));
    assert!(giver.owns(id).expect("asked"));
    // One without a ledger is taken at his word.
    assert!(giver.hand_over(&name, id, None).expect("handed over"));
    assert!(!giver.owns(id).expect("asked"));
}

#[test]
fn the_socket_of_a_dead_manager_goes_with_its_ledger() {
    let place = Place::new();
    let (manager, other) = (place.ledger(), place.ledger());
    let socket = place.ledgers.manager_socket(manager.token());
    fs::write(&socket, "").expect("written");
    assert!(place.reap().is_empty() && socket.exists());
    drop(manager);
    place.reap();
    assert!(!socket.exists());
    // One whose ledger somebody else has removed.
    fs::write(&socket, "").expect("written");
    place.reap();
    assert!(!socket.exists());
    drop(other);
    place.reap();
    assert!(!place.ledgers.path().exists());
}

#[test]
fn a_prepared_ledger_lives_for_as_long_as_who_prepared_it_or_who_took_it_over() {
    let place = Place::new();
    let prepare = || {
        let prepared = PreparedLedger::new(&place.ledgers, TIMEOUT).expect("prepared");
        let socket = place.ledgers.manager_socket(prepared.token());
        fs::write(&socket, "").expect("written");
        (prepared, socket)
    };
    // Nobody takes it over.
    let (prepared, socket) = prepare();
    place.reap();
    assert!(socket.exists());
    drop(prepared);
    place.reap();
    assert!(!socket.exists() && !place.ledgers.path().exists());

    let (prepared, socket) = prepare();
    let (token, handed) = (prepared.token(), prepared.as_fd().try_clone_to_owned().expect("a copy"));
    drop(prepared);
    place.reap();
    assert!(socket.exists(), "who has it handed over has it");
    let new_owner = Ledger::take_over(place.ledgers.clone(), token, handed).expect("taken over");
    let survey = survey(&place.ledgers).expect("surveyed");
    assert_eq!(survey.ledgers.len(), 1);
    assert!(survey.ledgers[0].alive && survey.ledgers[0].owner.started != 0, "and it says whose it is");
    let (_, id) = place.owned(&new_owner, "owned");
    assert!(new_owner.owns(id).expect("asked"));
    assert!(place.reap().is_empty() && socket.exists());
    drop(new_owner);
    assert_eq!(place.reap(), ["owned"]);
    assert!(!socket.exists() && !place.ledgers.path().exists());
}

#[test]
fn what_was_prepared_for_nobody_is_taken_away() {
    let place = Place::new();
    let prepared = PreparedLedger::new(&place.ledgers, Duration::ZERO).expect("prepared");
    let other = place.ledger();
    place.ledgers.forget(prepared.token(), TIMEOUT);
    assert_eq!(survey(&place.ledgers).expect("surveyed").ledgers.len(), 1);
    drop(other);
    place.reap();
    assert!(!place.ledgers.path().exists());
}

#[test]
fn the_last_of_several_owners_ends_it() {
    let place = Place::new();
    let (creator, adopter) = (place.ledger(), place.ledger());
    let (name, id) = place.owned(&creator, "shared");
    adopter.adopt(&name, id).expect("adopted");
    adopter.adopt(&name, id).expect("adopting twice is adopting once");
    drop(creator);
    assert!(place.reap().is_empty());
    let third = place.ledger();
    third.adopt(&name, id).expect("adopted");
    drop(adopter);
    assert!(place.reap().is_empty() && place.has("shared"));
    drop(third);
    assert_eq!(place.reap(), ["shared"]);
}

#[test]
fn a_strangers_segment_under_the_same_name_stays() {
    let place = Place::new();
    let ledger = place.ledger();
    let (name, id) = place.owned(&ledger, "contested");
    place.segment("contested");
    let error = ledger.adopt(&name, id).err();
    assert!(error.is_none(), "it is on the list still");
    let other = place.ledger();
    assert_eq!(other.adopt(&name, id).expect_err("gone").code, "ERR_SHM_UNLINKED");
    drop(ledger);
    assert!(place.reap().is_empty());
    assert!(place.has("contested"));
}

#[test]
fn a_disclaimed_segment_is_nobodys() {
    let place = Place::new();
    let ledger = place.ledger();
    let (_, id) = place.owned(&ledger, "not-published");
    ledger.disclaim(id);
    ledger.disclaim(id);
    drop(ledger);
    assert!(place.reap().is_empty() && place.has("not-published"));
}

#[test]
fn leaving_takes_along_what_nobody_else_owns() {
    let place = Place::new();
    let (leaving, staying) = (place.ledger(), place.ledger());
    place.owned(&leaving, "mine");
    let (name, id) = place.owned(&leaving, "ours");
    staying.adopt(&name, id).expect("adopted");
    leaving.leave(TIMEOUT);
    assert!(!place.has("mine") && place.has("ours"));
    assert_eq!(survey(&place.ledgers).expect("survey").ledgers.len(), 1);
    // A worker that creates while its process ends begins a new one.
    place.owned(&leaving, "late");
    leaving.leave(TIMEOUT);
    assert!(!place.has("late"));
}

#[test]
fn a_ledger_that_somebody_removed_is_made_anew_with_what_is_still_there() {
    let place = Place::new();
    let ledger = place.ledger();
    for name in ["kept", "removed"] {
        place.owned(&ledger, name);
    }
    fs::remove_dir_all(place.ledgers.path()).expect("removed");
    fs::remove_file(place.path.join("removed")).expect("removed");
    assert!(place.reap().is_empty() && place.has("kept"));
    place.owned(&ledger, "after");
    let surveyed = survey(&place.ledgers).expect("survey").ledgers;
    let names: Vec<&str> = surveyed[0].segments.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!((surveyed.len(), surveyed[0].alive, &names[..]), (1, true, &["kept", "after"][..]));
    drop(ledger);
    assert_eq!(place.reap(), ["kept", "after"]);
}

#[test]
fn a_directory_that_others_can_write_to_is_refused() {
    let place = Place::new();
    let ledger = place.ledger();
    place.owned(&ledger, "owned");
    drop(ledger);
    for mode in [0o722, 0o770, 0o702] {
        fs::set_permissions(place.ledgers.path(), fs::Permissions::from_mode(mode)).expect("chmod");
        assert_eq!(
            reap(&place.ledgers, TIMEOUT).expect_err("refused").code,
            "ERR_SHM_UNSAFE_LEDGERS",
            "{mode:o}"
        );
        assert_eq!(Ledger::new(place.ledgers.clone()).expect_err("refused").code, "ERR_SHM_UNSAFE_LEDGERS");
    }
    fs::set_permissions(place.ledgers.path(), fs::Permissions::from_mode(0o755)).expect("chmod");
    assert_eq!(place.reap(), ["owned"], "reading is no harm");
}

#[test]
fn more_names_than_one_page_and_than_one_turn_holds() {
    let place = Place::new();
    let ledger = place.ledger();
    for number in 0..1000 {
        place.owned(&ledger, &format!("many-{number}"));
    }
    let others: Vec<Ledger> = (0..200).map(|_| place.ledger()).collect();
    for (number, other) in others.iter().enumerate() {
        place.owned(other, &format!("one-{number}"));
    }
    drop(ledger);
    assert_eq!(place.reap().len(), 1000);
    drop(others);
    assert_eq!(place.reap().len(), 200);
}

/// Either the adopter was first, and the segment stays, or the reaper was, and the adopter is told.
#[test]
fn adopting_races_with_reaping_and_somebody_wins() {
    let place = Place::new();
    let adopter = place.ledger();
    let done = AtomicBool::new(false);
    let (mut adopted, mut refused) = (0, 0);
    thread::scope(|scope| {
        let _ends = Ends(&done);
        for _ in 0..2 {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    place.reap();
                }
            });
        }
        for round in 0..600 {
            let creator = place.ledger();
            let (name, id) = place.owned(&creator, &format!("raced-{round}"));
            drop(creator);
            if round % 3 == 0 {
                thread::yield_now();
            }
            match adopter.adopt(&name, id) {
                Ok(()) => {
                    adopted += 1;
                    assert!(place.has(name.as_str()), "what was adopted is there");
                    fs::remove_file(place.path.join(name.as_str())).expect("removed");
                }
                Err(error) => {
                    refused += 1;
                    assert_eq!(error.code, "ERR_SHM_UNLINKED");
                    assert!(!place.has(name.as_str()), "what was refused is gone");
                }
            }
        }
    });
    assert!(adopted > 0 && refused > 0, "{adopted} adopted, {refused} refused: no race at all");
}

/// Two of ours that remove one name at once, and a stranger that takes it over and over.
#[test]
fn a_stranger_never_loses_a_segment() {
    let place = Place::new();
    let done = AtomicBool::new(false);
    let mut made = 0;
    thread::scope(|scope| {
        let _ends = Ends(&done);
        for _ in 0..2 {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    // Dead at once, and under a name that the stranger has an eye on.
                    let ledger = place.ledger();
                    let file = File::create_new(place.path.join("contested"));
                    if let Ok(meta) = file.and_then(|file| file.metadata()) {
                        let id = Identity { device: meta.dev(), inode: meta.ino() };
                        ledger.claim(&Name::new("contested").expect("a name"), id).expect("claimed");
                    }
                    drop(ledger);
                    place.reap();
                }
            });
        }
        let path = place.path.join("contested");
        while made < 1_500 {
            let _ = fs::remove_file(&path);
            let Ok(file) = File::create_new(&path) else { continue };
            made += 1;
            for _ in 0..2 {
                thread::yield_now();
                assert_eq!(file.metadata().expect("its metadata").nlink(), 1, "after {made}");
            }
            // Its own, and nobody else's.
            let mine = file.metadata().expect("its metadata").ino();
            if fs::metadata(&path).is_ok_and(|there| there.ino() == mine) {
                let _ = fs::remove_file(&path);
            }
        }
    });
}

#[test]
fn a_live_ledger_that_cannot_be_read_may_own_anything() {
    let place = Place::new();
    let (dead, alive) = (place.ledger(), place.ledger());
    place.owned(&dead, "perhaps");
    place.owned(&dead, "gone-anyway");
    fs::remove_file(place.path.join("gone-anyway")).expect("removed");
    drop(dead);
    let file = place.ledgers.path().join(format!("{}.ledger", alive.token()));
    let newest = |version: u32| {
        use std::os::unix::fs::FileExt;
        let file = File::options().write(true).open(&file).expect("its file");
        file.write_all_at(&version.to_ne_bytes(), 12).expect("written");
    };
    newest(99);
    assert!(place.reap().is_empty() && orphans(&place.ledgers).expect("orphans").is_empty());
    assert!(place.has("perhaps"));
    newest(1);
    assert_eq!(place.reap(), ["perhaps"]);
}

#[test]
fn one_that_cannot_be_removed_does_not_keep_the_others() {
    let place = Place::new();
    let ledger = place.ledger();
    let folder = place.path.join("folder");
    fs::create_dir(&folder).expect("a folder");
    let meta = fs::metadata(&folder).expect("its metadata");
    let id = Identity { device: meta.dev(), inode: meta.ino() };
    ledger.claim(&Name::new("folder").expect("a name"), id).expect("claimed");
    place.owned(&ledger, "other");
    drop(ledger);
    assert_eq!(place.reap(), ["other"]);
    assert!(folder.exists(), "no segment");
}

#[test]
fn a_descriptor_that_somebody_closed_loses_nothing() {
    let place = Place::new();
    let ledger = place.ledger();
    place.owned(&ledger, "before");
    let target = place.ledgers.path().join(format!("{}.ledger", ledger.token()));
    for entry in fs::read_dir("/proc/self/fd").expect("descriptors").flatten() {
        if fs::read_link(entry.path()).is_ok_and(|link| link == target) {
            let number = entry.file_name().to_str().and_then(|name| name.parse().ok()).expect("a number");
            // SAFETY: the ledger's, which finds out.
            unsafe { libc::close(number) };
        }
    }
    place.owned(&ledger, "after");
    assert!(place.reap().is_empty(), "it is alive again");
    drop(ledger);
    let mut reaped = place.reap();
    reaped.sort();
    assert_eq!(reaped, ["after", "before"]);
}

#[test]
fn a_segment_that_is_about_to_be_published_is_not_left_to_nobody() {
    let place = Place::new();
    let ledger = place.ledger();
    let (name, id) = place.segment("pending");
    ledger.claim(&name, id).expect("claimed");
    ledger.leave(TIMEOUT);
    assert!(place.has("pending") && survey(&place.ledgers).expect("survey").ledgers[0].alive);
    ledger.published(&name, id);
    ledger.leave(TIMEOUT);
    assert!(!place.has("pending"));
}

#[test]
fn leaving_in_vain_loses_nothing() {
    let place = Place::new();
    let ledger = place.ledger();
    place.owned(&ledger, "first");
    let lock = File::open(place.ledgers.path()).expect("the directory");
    lock.lock().expect("locked");
    ledger.leave(Duration::from_millis(10));
    lock.unlock().expect("unlocked");
    place.owned(&ledger, "second");
    drop(ledger);
    let mut reaped = place.reap();
    reaped.sort();
    assert_eq!(reaped, ["first", "second"]);
}

#[test]
fn a_stopped_holder_of_the_lock_is_an_error_and_no_hang() {
    let place = Place::new();
    let (ledger, other) = (place.ledger(), place.ledger());
    let (name, id) = place.owned(&ledger, "held");
    let lock = File::open(place.ledgers.path()).expect("the directory");
    lock.lock().expect("locked");
    assert_eq!(reap(&place.ledgers, Duration::from_millis(10)).expect_err("busy").code, "ERR_SHM_BUSY");
    assert_eq!(other.adopt(&name, id).expect_err("busy").code, "ERR_SHM_BUSY");
}

#[test]
fn who_joins_owns_what_the_living_own_and_nothing_else() {
    let place = Place::new();
    let (creator, joiner) = (place.ledger(), place.ledger());
    let (name, id) = place.owned(&creator, "shared");
    assert_eq!(joiner.join(&name, id), Ok(true));
    drop(creator);
    assert!(place.reap().is_empty() && place.has("shared"));
    let (nobodys, nobodys_id) = place.segment("nobodys");
    assert_eq!(joiner.join(&nobodys, nobodys_id), Ok(true));
    let dead = place.ledger();
    let (condemned, condemned_id) = place.owned(&dead, "condemned");
    drop(dead);
    assert_eq!(joiner.join(&condemned, condemned_id), Ok(false), "its owner is dead");
    assert!(joiner.free_name(&condemned) && !place.has("condemned"));
    assert_eq!(joiner.join(&condemned, condemned_id), Ok(false), "it is gone");
    assert!(!joiner.free_name(&name) && !joiner.free_name(&nobodys), "those are not to be had");
    drop(joiner);
    assert_eq!(place.reap(), ["shared"]);
    assert!(place.has("nobodys"));
}
