//! The tracker: the end of a socket tells it to look at the ledgers, and only what they say counts.

use std::collections::{HashMap, HashSet};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use shmkit::ownership::tracker::{GREETING, LOCK, READY, SOCKET};
use shmkit::ownership::{LedgerDirectory, Liveness, Token, if_no_ledger_is_alive, reap};
use shmkit::sys::descriptors::{AsRawFd, OwnedFd, raise_limit};
use shmkit::sys::file::{File, FileKind};
use shmkit::sys::poll::{Interest, Poller};
use shmkit::sys::process::user;
use shmkit::sys::socket::{LocalListener, LocalStream};
use shmkit::sys::{self, Errno, daemon, dir, file, lock, signal, socket};

/// With nobody left it stays so long: the next process of a shell loop finds it running.
const LINGER: Duration = Duration::from_secs(1);
/// How often all ledgers are looked at, to be sure,
const ROUND: Duration = Duration::from_secs(1);
/// and while there are some whose processes are not connected: not yet, or not able to.
const QUICK_ROUND: Duration = Duration::from_millis(100);
/// The longest wait for the ledgers' lock; there is another try after it.
const LOCK_TIMEOUT: Duration = Duration::from_millis(200);
/// The same when the tracker ends.
const LAST_LOCK_TIMEOUT: Duration = Duration::from_secs(1);
/// A process's socket ends a moment before its ledger's lock does.
const FIRST_TRY: Duration = Duration::from_millis(1);
const LONGEST_TRY: Duration = Duration::from_millis(50);
const TRIES: u32 = 40;

/// Descriptors that are not for clients: the tracker's own, and those of a look at the ledgers.
const SPARE_DESCRIPTORS: usize = 96;

/// The keys of the poller: a client's descriptor, or one of these.
const LISTENER: u64 = u64::MAX;
const TERMINATION: u64 = u64::MAX - 1;

/// Runs until the last process has gone, or SIGTERM comes. Returns at once where there is a tracker already.
pub(crate) fn run() -> io::Result<()> {
    daemon::detach(daemon::KeptDescriptors::Nothing)?;
    let termination = signal::terminations()?;
    let ledgers = LedgerDirectory::default();
    let Some(role) = TrackerRole::take(&ledgers)? else { return Ok(()) };
    let served = serve(&ledgers, &role, &termination);
    role.leave();
    // This removes the directory too, where nothing is left in it.
    let _ = reap(&ledgers, LAST_LOCK_TIMEOUT);
    served
}

fn serve(ledgers: &LedgerDirectory, role: &TrackerRole, termination: &OwnedFd) -> io::Result<()> {
    let mut tracker = Tracker::new(ledgers.clone(), role, termination)?;
    daemon::report(READY)?;
    tracker.serve(role)
}

/// Being the one tracker: its locked file and its socket.
struct TrackerRole {
    directory: PathBuf,
    lock: File,
    listener: LocalListener,
    /// The socket's inode.
    socket: u64,
}

impl TrackerRole {
    /// `None` if another tracker is at it.
    fn take(ledgers: &LedgerDirectory) -> io::Result<Option<Self>> {
        let error = |error: shmkit::Error| io::Error::other(error.to_string());
        // Whoever starts a tracker has a ledger there, unless somebody removed it.
        ledgers.make().and_then(|()| ledgers.open()).map_err(error)?;
        let directory = ledgers.path().to_owned();
        let path = directory.join(LOCK);
        loop {
            let Some(lock) = lock(&path)? else { return Ok(None) };
            // The one before us may have removed it at its end, just before we had the lock.
            if has_inode(&path, inode(&lock)) {
                let socket = directory.join(SOCKET);
                let listening = listen(&socket).and_then(|it| Ok((it, file::stat_path(&socket)?.id.inode)));
                let (listener, socket) = listening.inspect_err(|_| {
                    let _ = file::unlink(&path);
                })?;
                return Ok(Some(TrackerRole { directory, lock, listener, socket }));
            }
        }
    }

    /// Whether others can still find it: a session manager may have removed the files.
    fn is_there(&self) -> bool {
        self.has_lock() && has_inode(&self.directory.join(SOCKET), self.socket)
    }

    fn has_lock(&self) -> bool {
        has_inode(&self.directory.join(LOCK), inode(&self.lock))
    }

    /// The socket goes first: without the lock it could be another tracker's.
    fn leave(&self) {
        if self.has_lock() {
            let _ = file::unlink(&self.directory.join(SOCKET));
            let _ = file::unlink(&self.directory.join(LOCK));
        }
    }
}

fn inode(file: &File) -> u64 {
    file::stat(file).map_or(0, |it| it.id.inode)
}

fn has_inode(path: &Path, inode: u64) -> bool {
    file::stat_path(path).is_ok_and(|it| it.id.inode == inode)
}

fn lock(path: &Path) -> io::Result<Option<File>> {
    let open = || file::open_or_create_untrusted(path);
    let usable =
        |file: &File| file::stat(file).is_ok_and(|it| it.kind == FileKind::Regular && it.uid == user());
    let file = match open() {
        Ok(file) if usable(&file) => file,
        Err(error)
            if !matches!(Errno::from_io_error(&error), Some(Errno::LOOP | Errno::ISDIR | Errno::NXIO)) =>
        {
            return Err(error);
        }
        // A link, a folder or a fifo in its place is nobody's lock.
        _ => {
            remove(path)?;
            open()?
        }
    };
    match lock::exclude(&file) {
        Ok(()) => Ok(Some(file)),
        Err(Errno::WOULDBLOCK) => Ok(None),
        Err(errno) => Err(errno.into()),
    }
}

/// Takes the socket's place over from a dead tracker, or from something that is none.
fn listen(path: &Path) -> io::Result<LocalListener> {
    remove(path)?;
    let listener = LocalListener::bind(path)?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

fn remove(path: &Path) -> sys::Result<()> {
    match file::unlink(path) {
        Err(Errno::NOENT) => Ok(()),
        Err(Errno::ISDIR) => dir::remove(path),
        result => result,
    }
}

/// A process's socket.
struct Client {
    stream: LocalStream,
    token: Vec<u8>,
}

/// A process whose socket ended: its ledger is dead, or will be in a moment.
struct Dying {
    token: Token,
    next: Instant,
    pause: Duration,
    tries: u32,
}

struct Tracker {
    ledgers: LedgerDirectory,
    poller: Poller,
    clients: HashMap<u64, Client>,
    most_clients: usize,
    /// Whether the listener is listened to.
    accepting: bool,
    dying: Vec<Dying>,
    /// When all ledgers are looked at next.
    round: Instant,
    /// When the last process went.
    alone_since: Option<Instant>,
}

impl Tracker {
    fn new(ledgers: LedgerDirectory, role: &TrackerRole, termination: &OwnedFd) -> io::Result<Self> {
        let poller = Poller::new()?;
        poller.add(&role.listener, LISTENER, Interest::Read)?;
        poller.add(termination, TERMINATION, Interest::Read)?;
        let round = Instant::now();
        // A descriptor for each process: as many as are allowed.
        let most_clients = raise_limit().saturating_sub(SPARE_DESCRIPTORS);
        Ok(Tracker {
            most_clients,
            accepting: true,
            ledgers,
            poller,
            clients: HashMap::new(),
            dying: Vec::new(),
            round,
            alone_since: None,
        })
    }

    fn serve(&mut self, role: &TrackerRole) -> io::Result<()> {
        let mut ready = Vec::with_capacity(64);
        loop {
            let wait = self.next_time().saturating_duration_since(Instant::now());
            self.poller.wait(&mut ready, Some(wait))?;
            for key in ready.drain(..) {
                match key {
                    LISTENER => self.accept(&role.listener),
                    TERMINATION => return Ok(()), // its clients start another
                    client => self.read_token(client),
                }
            }
            self.check_dying();
            if Instant::now() >= self.round {
                if !role.is_there() {
                    return Ok(()); // nobody can find it any more
                }
                self.check_all();
                self.accept_again(&role.listener);
            }
            if self.alone_since.is_some_and(|since| since.elapsed() >= LINGER) {
                if if_no_ledger_is_alive(&self.ledgers, LOCK_TIMEOUT, || role.leave()).unwrap_or(false) {
                    return Ok(());
                }
                self.alone_since = None;
            }
        }
    }

    fn next_time(&self) -> Instant {
        let dying = self.dying.iter().map(|it| it.next);
        let end = self.alone_since.map(|since| since + LINGER);
        dying.chain(end).fold(self.round, Instant::min)
    }

    fn accept(&mut self, listener: &LocalListener) {
        while self.clients.len() < self.most_clients {
            match listener.accept() {
                Ok((stream, _)) => drop(self.add_client(stream)),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(_) => break,
            }
        }
        // Not now, and not to be asked again at once. Those who wait are found by the rounds, which need descriptors
        // too, and are let in when one has gone.
        let _ = self.poller.remove(listener);
        self.accepting = false;
    }

    fn accept_again(&mut self, listener: &LocalListener) {
        if !self.accepting && self.clients.len() < self.most_clients {
            self.accepting = self.poller.add(listener, LISTENER, Interest::Read).is_ok();
        }
    }

    fn add_client(&mut self, mut stream: LocalStream) -> io::Result<()> {
        if socket::peer_user(&stream)? != user() {
            return Ok(());
        }
        stream.set_nonblocking(true)?;
        stream.write_all(&GREETING)?;
        let id = stream.as_raw_fd() as u64;
        self.poller.add(&stream, id, Interest::Read)?;
        self.clients.insert(id, Client { stream, token: Vec::new() });
        self.alone_since = None;
        Ok(())
    }

    fn read_token(&mut self, id: u64) {
        let Some(client) = self.clients.get_mut(&id) else { return };
        let mut said = [0; 16];
        match client.stream.read(&mut said) {
            Ok(count) if count > 0 => {
                let wanted = said.len() - client.token.len().min(said.len());
                client.token.extend_from_slice(&said[..count.min(wanted)]);
                return;
            }
            Err(error) if matches!(error.kind(), io::ErrorKind::Interrupted | io::ErrorKind::WouldBlock) => {
                return;
            }
            _ => {}
        }
        let token = self.clients.remove(&id).and_then(|client| client.token.try_into().ok());
        if let Some(token) = token {
            self.dying.push(Dying {
                token: Token::from_bytes(token),
                next: Instant::now(),
                pause: FIRST_TRY,
                tries: 0,
            });
        }
        if self.clients.is_empty() {
            self.round = Instant::now();
        }
    }

    fn check_dying(&mut self) {
        let now = Instant::now();
        if !self.dying.iter().any(|it| it.next <= now) {
            return;
        }
        let Ok(Some(directory)) = self.ledgers.open() else {
            self.dying.clear();
            return;
        };
        let mut dead = false;
        self.dying.retain_mut(|it| {
            if it.next > now {
                return true;
            }
            match directory.liveness(it.token) {
                // It took its ledger along, or was seen to in a round.
                Liveness::Missing => return false,
                // It closed the socket and lives; or it cannot be removed. That is for the rounds.
                _ if it.tries >= TRIES => return false,
                Liveness::Dead => dead = true,
                Liveness::Alive | Liveness::Unknown => {}
            }
            it.tries += 1;
            it.next = now + it.pause;
            it.pause = LONGEST_TRY.min(it.pause * 2);
            true
        });
        if dead && reap(&self.ledgers, LOCK_TIMEOUT).is_ok() {
            self.dying.retain(|it| directory.liveness(it.token) != Liveness::Missing);
        }
    }

    fn check_all(&mut self) {
        let alive = reap(&self.ledgers, LOCK_TIMEOUT).ok().map(|reaped| reaped.alive);
        let connected: HashSet<&[u8]> = self.clients.values().map(|client| &client.token[..]).collect();
        let unconnected = alive.iter().flatten().any(|token| !connected.contains(&token.as_bytes()[..]));
        let now = Instant::now();
        self.round = now + if unconnected { QUICK_ROUND } else { ROUND };
        if alive.is_some_and(|alive| alive.is_empty()) && self.clients.is_empty() && self.dying.is_empty() {
            self.alone_since.get_or_insert(now);
        } else {
            self.alone_since = None;
        }
    }
}
