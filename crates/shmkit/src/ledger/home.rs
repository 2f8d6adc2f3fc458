//! The directory of a user's ledgers, and how a name is taken away from exactly the segment that is meant.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::fs::{
    self, AtFlags, CWD, Dir, FileType, FlockOperation, Mode, OFlags, RenameFlags, Stat, flock, fstat,
    mkdirat, openat, renameat_with, statat, unlinkat,
};
use rustix::io::{Errno, read, retry_on_intr};
use rustix::process::geteuid;

use super::format::{self, Contents, Token};
use crate::segment::{Identity, Name};
use crate::{Error, Result};

const LEDGER: &str = ".ledger";
const UNFINISHED: &str = ".new";
/// Where whoever holds the directory's lock exclusively moves segments to.
const MOVED: &str = "moved";
/// Beyond this a ledger is no ledger: a quarter of a million segments.
const LEDGER_MAX: usize = 64 << 20;
/// A directory in a segment's place is there for a few microseconds, or belongs to somebody.
const MOVING_TRIES: u32 = 40;
/// So many tries for the directory's lock are made at once; it is held for microseconds as a rule.
const LOCK_SPINS: u32 = 50;
/// Between two tries after those.
const LOCK_PAUSE: Duration = Duration::from_micros(500);

pub(super) fn os(syscall: &'static str) -> impl Fn(Errno) -> Error {
    move |errno| Error::os(errno.raw_os_error(), syscall)
}

pub(super) fn identity(stat: &Stat) -> Identity {
    Identity { device: stat.st_dev, inode: stat.st_ino }
}

fn is_regular(stat: &Stat) -> bool {
    FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile
}

/// Where segments are, and whose ledgers are meant.
#[derive(Debug, Clone)]
pub struct Home {
    segments: PathBuf,
    directory: PathBuf,
}

impl Default for Home {
    /// The system's shared-memory directory, and the ledgers of this process's user.
    fn default() -> Self {
        Self::at("/dev/shm")
    }
}

impl Home {
    /// Segments in another directory; for tests.
    pub fn at(segments: impl Into<PathBuf>) -> Self {
        let segments = segments.into();
        let directory = segments.join(format!(".shmkit-{}", geteuid().as_raw()));
        Home { segments, directory }
    }

    /// The directory of the ledgers.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// The directory of the segments.
    pub fn segments(&self) -> &Path {
        &self.segments
    }

    /// Opens the directory of the ledgers; `None` where there is none.
    ///
    /// # Errors
    /// `ERR_SHM_UNSAFE_LEDGERS` where others could write to it: what it says is not to be believed.
    pub fn open(&self) -> Result<Option<Directory>> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let fd = match fs::open(&self.directory, flags, Mode::empty()) {
            Ok(fd) => fd,
            Err(Errno::NOENT) => return Ok(None),
            Err(Errno::LOOP | Errno::NOTDIR) => return Err(self.unsafe_because("it is not a directory")),
            Err(errno) => return Err(os("open")(errno).about(".shmkit")),
        };
        let stat = fstat(&fd).map_err(os("fstat"))?;
        if stat.st_uid != geteuid().as_raw() {
            return Err(self.unsafe_because("it belongs to another user"));
        }
        if stat.st_mode & 0o022 != 0 {
            return Err(self.unsafe_because("others can write to it"));
        }
        Ok(Some(Directory { home: self.clone(), fd }))
    }

    /// Opens the directory of the ledgers, makes it where there is none, and locks it.
    ///
    /// # Errors
    /// As `open` and `Directory::lock`; `ERR_SHM_BUSY` where the lock was not to be had in time.
    pub(super) fn make_locked(&self, lock: Lock, patience: Duration) -> Result<Locked> {
        let until = Instant::now() + patience;
        loop {
            match self.open()? {
                None => match fs::mkdir(&self.directory, Mode::RWXU) {
                    Ok(()) | Err(Errno::EXIST) => {}
                    Err(errno) => return Err(os("mkdir")(errno)),
                },
                Some(directory) => {
                    let left = until.saturating_duration_since(Instant::now());
                    match directory.lock(lock, left)? {
                        Some(locked) => return Ok(locked),
                        // Removed meanwhile by the last one to go; or busy.
                        None if Instant::now() < until => {}
                        None => return Err(busy()),
                    }
                }
            }
        }
    }

    fn unsafe_because(&self, why: &str) -> Error {
        let path = self.directory.display();
        Error::own("ERR_SHM_UNSAFE_LEDGERS", format!("'{path}' cannot be trusted: {why}; remove it"))
    }

    fn segment(&self, name: &Name) -> PathBuf {
        self.segments.join(name.as_str())
    }

    /// Which segment has the name now, and whether this user can remove it.
    pub(super) fn look(&self, name: &Name) -> Option<(Identity, bool)> {
        let place = self.segment(name);
        let mut stat = fs::lstat(&place).ok()?;
        for _ in 0..MOVING_TRIES {
            if FileType::from_raw_mode(stat.st_mode) != FileType::Directory {
                break;
            }
            // Somebody is looking at the segment: see `Locked::take`.
            sleep(LOCK_PAUSE);
            stat = fs::lstat(&place).ok()?;
        }
        let me = geteuid().as_raw();
        Some((identity(&stat), me == 0 || me == stat.st_uid))
    }

    /// Which segment has the name now.
    pub(super) fn who_has(&self, name: &Name) -> Option<Identity> {
        self.look(name).map(|(id, _)| id)
    }
}

pub(super) fn busy() -> Error {
    Error::own("ERR_SHM_BUSY", "another process is holding the ledgers' lock; try again")
}

/// How the directory of the ledgers is locked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lock {
    /// By who adds a ledger or adopts a segment: as many as like.
    Shared,
    /// By who removes what dead ones left: one, and nobody of the others.
    Exclusive,
}

/// A ledger in the directory, as far as it could be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Probe {
    /// It lives.
    Alive,
    /// It died.
    Dead,
    /// Nobody's to take.
    Unknown,
}

/// An open directory of ledgers.
#[derive(Debug)]
pub struct Directory {
    home: Home,
    fd: OwnedFd,
}

impl AsFd for Directory {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl Directory {
    /// Locks it; `None` where that took too long, or the directory was removed.
    ///
    /// # Errors
    /// What the system says.
    pub(super) fn lock(self, lock: Lock, patience: Duration) -> Result<Option<Locked>> {
        let until = Instant::now() + patience;
        let operation = match lock {
            Lock::Shared => FlockOperation::NonBlockingLockShared,
            Lock::Exclusive => FlockOperation::NonBlockingLockExclusive,
        };
        for tries in 0u32.. {
            match flock(&self.fd, operation) {
                Ok(()) => break,
                Err(Errno::INTR) => {}
                Err(Errno::WOULDBLOCK) if tries < LOCK_SPINS => std::thread::yield_now(),
                Err(Errno::WOULDBLOCK) if Instant::now() >= until => return Ok(None),
                Err(Errno::WOULDBLOCK) => {
                    sleep(LOCK_PAUSE.min(Duration::from_micros(20 * u64::from(tries - LOCK_SPINS))))
                }
                Err(errno) => return Err(os("flock")(errno)),
            }
        }
        let locked = Locked { directory: self, last: lock == Lock::Exclusive };
        let Directory { home, fd } = &locked.directory;
        match (fstat(fd), fs::lstat(&home.directory)) {
            (Ok(ours), Ok(there)) if identity(&ours) == identity(&there) => Ok(Some(locked)),
            _ => Ok(None),
        }
    }

    /// The names of what is in it.
    fn names(&self) -> Result<Vec<String>> {
        let mut names = Vec::new();
        // A descriptor of its own: the position in a directory belongs to the open file.
        let entries = Dir::read_from(&self.fd).map_err(os("getdents"))?;
        for entry in entries {
            let entry = entry.map_err(os("getdents"))?;
            if let Ok(name) = entry.file_name().to_str() {
                names.push(name.to_owned());
            }
        }
        Ok(names)
    }

    /// Every ledger.
    pub(super) fn tokens(&self) -> Result<Vec<Token>> {
        Ok(self.names()?.iter().filter_map(|name| Token::parse(name.strip_suffix(LEDGER)?)).collect())
    }

    /// Asks whether a ledger's process lives. Probes are shared, so that two at once do not fool each other.
    pub fn probe(&self, token: Token) -> Probe {
        let Ok(file) = self.open_file(&format!("{token}{LEDGER}")) else { return Probe::Unknown };
        match retry_on_intr(|| flock(&file, FlockOperation::NonBlockingLockShared)) {
            // Closing the file lets go of the lock.
            Ok(()) => Probe::Dead,
            Err(Errno::WOULDBLOCK) => Probe::Alive,
            Err(_) => Probe::Unknown,
        }
    }

    /// What a ledger says.
    ///
    /// # Errors
    /// Where there is no such regular file of ours.
    pub(super) fn read(&self, token: Token) -> Result<Contents> {
        let file = self.open_file(&format!("{token}{LEDGER}"))?;
        let length = usize::try_from(fstat(&file).map_err(os("fstat"))?.st_size).unwrap_or(0);
        let mut bytes = vec![0; length.min(LEDGER_MAX)];
        let mut filled = 0;
        while filled < bytes.len() {
            match retry_on_intr(|| read(&file, &mut bytes[filled..])).map_err(os("read"))? {
                0 => break,
                count => filled += count,
            }
        }
        Ok(format::parse(&bytes[..filled]))
    }

    /// A regular file of this user; never through a symbolic link, and without waiting for a fifo.
    fn open_file(&self, name: &str) -> Result<OwnedFd> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = openat(&self.fd, name, flags, Mode::empty()).map_err(os("open"))?;
        let stat = fstat(&file).map_err(os("fstat"))?;
        if !is_regular(&stat) || stat.st_uid != geteuid().as_raw() {
            return Err(os("open")(Errno::INVAL));
        }
        Ok(file)
    }

    /// Removes a ledger whose process is gone, or is going.
    pub(super) fn remove(&self, token: Token) {
        let _ = unlinkat(&self.fd, format!("{token}{LEDGER}"), AtFlags::empty());
    }
}

/// A locked directory of ledgers.
#[derive(Debug)]
pub(super) struct Locked {
    directory: Directory,
    /// Removes the directory at the end, if nothing is in it then.
    last: bool,
}

impl std::ops::Deref for Locked {
    type Target = Directory;

    fn deref(&self) -> &Directory {
        &self.directory
    }
}

impl Drop for Locked {
    fn drop(&mut self) {
        if self.last {
            let _ = unlinkat(&self.directory.fd, MOVED, AtFlags::REMOVEDIR);
            let _ = fs::rmdir(&self.directory.home.directory);
        }
        // Not by closing alone: a process forked meanwhile has the same open file, and would keep the lock.
        let _ = flock(&self.directory.fd, FlockOperation::Unlock);
    }
}

impl Locked {
    /// Makes the ledger of this token, empty but for its header, locked before anybody can see it.
    pub(super) fn create(&self, token: Token, header: &[u8]) -> Result<OwnedFd> {
        let mode = Mode::RUSR | Mode::WUSR;
        let name = format!("{token}{LEDGER}");
        let flags = OFlags::RDWR | OFlags::CLOEXEC;
        match openat(&self.directory.fd, ".", flags | OFlags::TMPFILE, mode) {
            Ok(file) => {
                prepare(&file, header)?;
                link(&file, &self.directory.fd, &name)?;
                Ok(file)
            }
            Err(Errno::OPNOTSUPP | Errno::ISDIR | Errno::NOENT | Errno::INVAL) => {
                let unfinished = format!("{token}{UNFINISHED}");
                let flags = flags | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW;
                let file = openat(&self.directory.fd, &unfinished, flags, mode).map_err(os("open"))?;
                prepare(&file, header)?;
                let fd = &self.directory.fd;
                renameat_with(fd, &unfinished, fd, &name, RenameFlags::NOREPLACE).map_err(os("rename"))?;
                Ok(file)
            }
            Err(errno) => Err(os("open")(errno)),
        }
    }

    /// Removes the segment's name if it still belongs to `id`, and says whether it did.
    ///
    /// No system call unlinks a name only if it has a certain inode, and between a look and an unlink a stranger
    /// could have made a segment of that name, and would lose it. But there is one that removes a name only if it is
    /// a directory's. So an empty directory changes places with the segment, which is looked at where nobody else
    /// comes by:
    ///
    /// ```text
    ///                  NAME        moved/NAME
    /// mkdir            segment     directory
    /// exchange         directory   segment       nobody can make a segment of that name now, nor remove the directory
    ///   it is the one
    ///     rmdir        -           segment
    ///     unlink       -           -
    ///   it is another
    ///     exchange     segment     directory
    ///     rmdir        segment     -
    /// ```
    ///
    /// Each line tells `recover` what to do for a process that was killed after it.
    ///
    /// The lock keeps two from doing this to one name at once.
    pub(super) fn take(&self, name: &Name, id: Identity) -> Result<bool> {
        let Directory { home, fd } = &self.directory;
        if home.who_has(name) != Some(id) {
            return Ok(false);
        }
        let place = home.segment(name);
        let in_place = || fs::unlink(&place).map(|()| true).map_err(os("shm_unlink"));
        if name.is_drawn() {
            return in_place(); // nobody draws it a second time
        }
        let aside = format!("{MOVED}/{}", name.as_str());
        let make = || mkdirat(fd, &aside, Mode::RWXU);
        let made = match make() {
            Err(Errno::NOENT) => mkdirat(fd, MOVED, Mode::RWXU).and_then(|()| make()),
            Err(Errno::EXIST) => {
                self.recover_moved();
                make()
            }
            result => result,
        };
        if made.is_err() {
            // A filesystem that is full to the last inode is to be emptied, and not to be left so.
            return in_place();
        }
        let exchange = || renameat_with(CWD, &place, fd, &aside, RenameFlags::EXCHANGE);
        let drop_directory = || {
            let _ = unlinkat(fd, &aside, AtFlags::REMOVEDIR);
        };
        if let Err(errno) = exchange() {
            drop_directory();
            return match errno {
                Errno::NOENT => Ok(false),
                Errno::INVAL | Errno::NOSYS => in_place(), // a filesystem that knows no exchange
                errno => Err(os("shm_unlink")(errno)),
            };
        }
        let stat = statat(fd, &aside, AtFlags::SYMLINK_NOFOLLOW).map_err(os("shm_unlink"))?;
        if identity(&stat) == id {
            let _ = fs::rmdir(&place);
            unlinkat(fd, &aside, AtFlags::empty()).map_err(os("shm_unlink"))?;
            return Ok(true);
        }
        exchange().map_err(os("shm_unlink"))?;
        drop_directory();
        Ok(false)
    }

    /// Undoes, or does, what a killed process was in the middle of.
    pub(super) fn recover(&self) {
        for name in self.directory.names().unwrap_or_default() {
            // Ledgers are made under the shared lock, so nobody is at this one any more.
            if name.strip_suffix(UNFINISHED).and_then(Token::parse).is_some() {
                let _ = unlinkat(&self.directory.fd, &name, AtFlags::empty());
            }
        }
        self.recover_moved();
    }

    /// As `recover`, of segments alone.
    pub(super) fn recover_moved(&self) {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let Ok(moved) = openat(&self.directory.fd, MOVED, flags, Mode::empty()) else { return };
        let Ok(entries) = Dir::read_from(&moved) else { return };
        for entry in entries.flatten() {
            if let Ok(name) = entry.file_name().to_str()
                && name != "."
                && name != ".."
            {
                self.recover_name(&moved, name);
            }
        }
    }

    /// Keeps the directory although nothing may be in it: this process's ledger is.
    pub(super) fn keep(mut self) -> Self {
        self.last = false;
        self
    }

    /// See the table at `take`.
    fn recover_name(&self, moved: &OwnedFd, name: &str) {
        let place = self.directory.home.segments.join(name);
        let is_directory = |stat: Stat| FileType::from_raw_mode(stat.st_mode) == FileType::Directory;
        let aside = statat(moved, name, AtFlags::SYMLINK_NOFOLLOW).is_ok_and(is_directory);
        let there = fs::lstat(&place).is_ok_and(is_directory);
        let _ = match (there, aside) {
            (_, true) => unlinkat(moved, name, AtFlags::REMOVEDIR),
            (false, false) => unlinkat(moved, name, AtFlags::empty()),
            (true, false) => renameat_with(CWD, &place, moved, name, RenameFlags::EXCHANGE)
                .and_then(|()| unlinkat(moved, name, AtFlags::REMOVEDIR)),
        };
    }
}

fn prepare(file: &OwnedFd, header: &[u8]) -> Result<()> {
    retry_on_intr(|| flock(file, FlockOperation::NonBlockingLockExclusive)).map_err(os("flock"))?;
    write_at(file, header, 0)
}

fn link(file: &OwnedFd, directory: &OwnedFd, name: &str) -> Result<()> {
    use std::os::fd::AsRawFd;
    match fs::linkat(file, "", directory, name, AtFlags::EMPTY_PATH) {
        // Kernels before 6.10 allow it to privileged processes only.
        Err(Errno::NOENT | Errno::PERM) => {
            let source = format!("/proc/self/fd/{}", file.as_raw_fd());
            fs::linkat(CWD, source, directory, name, AtFlags::SYMLINK_FOLLOW)
        }
        result => result,
    }
    .map_err(os("linkat"))
}

/// Writes all of `bytes` at `at`. A short write of a few bytes to memory is a full filesystem's.
pub(super) fn write_at(file: &OwnedFd, bytes: &[u8], at: u64) -> Result<()> {
    let written = retry_on_intr(|| rustix::io::pwrite(file, bytes, at)).map_err(os("write"))?;
    if written < bytes.len() { Err(os("write")(Errno::NOSPC)) } else { Ok(()) }
}
