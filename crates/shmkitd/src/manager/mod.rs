//! The manager: one thread, which waits for nobody. Who knows the key has segments owned by this process; they go with
//! it, however it ends.

mod connection;

use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::thread::sleep;
use std::time::{Duration, Instant};

use shmkit::Error;
use shmkit::manager::{
    Holdings, Instructions, Listener, Request, Response, failure_message, started_message,
};
use shmkit::ownership::{self, tracker};
use shmkit::sys::descriptors::OwnedFd;
use shmkit::sys::poll::{Interest, Poller};
use shmkit::sys::{Errno, daemon, descriptors, signal};

use self::connection::{Connection, Next};

/// Descriptors that are not for clients.
const SPARE_DESCRIPTORS: usize = 96;
/// More clients at a time than that are more than anybody needs.
const MOST_CLIENTS: usize = 4096;
/// How long the last responses may take, when the server ends.
const LAST_FLUSH_TIMEOUT: Duration = Duration::from_secs(1);

/// At the latest, there is a tracker so long after the start; before that, once something is owned.
const SETTLING: Duration = Duration::from_millis(20);
const PAUSE: Duration = Duration::from_millis(10);

/// The keys of the poller: a client's number, or one of these.
const LISTENER: u64 = u64::MAX;
const TERMINATION: u64 = u64::MAX - 1;
const STARTER: u64 = u64::MAX - 2;

/// Runs until it is told to end, or its starter has ended, or SIGTERM comes.
pub(crate) fn run() -> ExitCode {
    match serve() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // To whoever started it and is still waiting for a word.
            let mut stdout = io::stdout();
            let _ = stdout.write_all(&failure_message(&error)).and_then(|()| stdout.flush());
            ExitCode::FAILURE
        }
    }
}

fn serve() -> Result<(), Error> {
    let Instructions { file, token, key, tracked } = Instructions::read(&mut io::stdin().lock())?;
    let program = program();
    let [socket, ledger] = daemon::passed().map_err(failure)?;
    daemon::detach(daemon::KeptDescriptors::Passed).map_err(failure)?;
    let termination = signal::terminations().map_err(failure)?;
    let ledger = ownership::take_over(token, ledger)?;
    let listener = Listener::handed(socket, file);
    let mut manager =
        Manager::new(&listener, &termination, key, Holdings::new(ledger.clone())).map_err(failure)?;
    let mut stdout = io::stdout();
    // Nobody may be listening any more: then the standard input has ended, too.
    let _ = stdout.write_all(&started_message()).and_then(|()| stdout.flush());
    let served = manager.serve(&listener, || {
        tracker::ensure(ledger.ledgers(), ledger.token(), || {
            tracked.then(|| tracker::Start { program, on_trouble: Box::new(|_| {}) })
        });
    });
    if let Some(file) = listener.file() {
        file.remove();
    }
    manager.end();
    served.map_err(failure)
}

/// The path of this program, which the tracker is started by: found before the working directory changes.
fn program() -> Result<PathBuf, String> {
    let path = std::env::args_os().next().map(PathBuf::from).unwrap_or_default();
    std::path::absolute(&path).map_err(|error| format!("'{}': {error}", path.display()))
}

fn failure(error: io::Error) -> Error {
    Error::os(error.raw_os_error().unwrap_or(Errno::IO.raw_os_error()), "manager")
}

struct Manager {
    poller: Poller,
    key: Vec<u8>,
    holdings: Holdings,
    clients: HashMap<u64, Connection>,
    most_clients: usize,
    /// The number of the next client: never used again, so an event cannot be taken for another one's.
    next: u64,
    /// Somebody asked for the end.
    ending: bool,
}

impl Manager {
    fn new(listener: &Listener, termination: &OwnedFd, key: Vec<u8>, holdings: Holdings) -> io::Result<Self> {
        let poller = Poller::new()?;
        poller.add(listener, LISTENER, Interest::Read)?;
        poller.add(termination, TERMINATION, Interest::Read)?;
        poller.add(io::stdin(), STARTER, Interest::Read)?;
        let most_clients =
            descriptors::raise_limit().saturating_sub(SPARE_DESCRIPTORS).clamp(1, MOST_CLIENTS);
        Ok(Manager { poller, key, holdings, clients: HashMap::new(), most_clients, next: 0, ending: false })
    }

    fn serve(&mut self, listener: &Listener, settle: impl FnOnce()) -> io::Result<()> {
        let mut ready = Vec::with_capacity(64);
        let settling = Instant::now() + SETTLING;
        let mut settle = Some(settle);
        loop {
            let settling = settle.is_some().then_some(settling);
            let next = [self.next_deadline(), settling].into_iter().flatten().min();
            let time = next.map(|next| next.saturating_duration_since(Instant::now()));
            self.poller.wait(&mut ready, time)?;
            for key in ready.drain(..) {
                match key {
                    LISTENER => self.accept(listener),
                    TERMINATION => return Ok(()),
                    STARTER if self.starter_is_gone() => return Ok(()),
                    STARTER => {}
                    client => self.serve_client(client),
                }
                if self.ending {
                    return Ok(());
                }
            }
            // What can wait until the first request is answered.
            if !self.holdings.is_empty() || settling.is_some_and(|settling| settling <= Instant::now()) {
                settle.take().into_iter().for_each(|settle| settle());
            }
            let now = Instant::now();
            self.clients.retain(|_, client| client.deadline().is_none_or(|deadline| deadline > now));
        }
    }

    fn next_deadline(&self) -> Option<Instant> {
        self.clients.values().filter_map(Connection::deadline).min()
    }

    /// It has nothing more to say, so what can be read is its end.
    fn starter_is_gone(&self) -> bool {
        !matches!(io::stdin().read(&mut [0; 64]), Ok(1..))
    }

    fn accept(&mut self, listener: &Listener) {
        // Some at a time: those who are served already are not to wait for a crowd at the door.
        for _ in 0..64 {
            match listener.accept() {
                Ok(Some(socket)) => drop(self.add_client(socket)),
                Ok(None) => return,
                // No descriptors or no memory: one has to go, or it would be the same again at once.
                Err(Errno::MFILE | Errno::NFILE | Errno::NOBUFS | Errno::NOMEM) => self.drop_client(),
                Err(_) => {}
            }
        }
    }

    fn add_client(&mut self, socket: OwnedFd) -> io::Result<()> {
        if self.clients.len() >= self.most_clients {
            self.drop_client();
        }
        let number = self.next;
        self.next += 1;
        let client = Connection::new(socket).map_err(|_| io::ErrorKind::Other)?;
        self.poller.add(client.socket(), number, Interest::Read)?;
        self.clients.insert(number, client);
        self.serve_client(number);
        Ok(())
    }

    /// Lets the one go who is missed least: the first to come of those who have not shown that they know the key, and
    /// else the one who has been silent for longest, who may come again.
    fn drop_client(&mut self) {
        let least = self
            .clients
            .iter()
            .min_by_key(|(number, client)| (client.is_known(), client.last_received(), **number));
        match least.map(|(number, _)| *number) {
            Some(number) => drop(self.clients.remove(&number)),
            // The system itself has none left, and is not to be asked again at once.
            None => sleep(PAUSE),
        }
    }

    fn serve_client(&mut self, number: u64) {
        let Manager { poller, key, holdings, clients, ending, .. } = self;
        let Some(client) = clients.get_mut(&number) else { return };
        let next = client.serve_client(key, |request| answer(holdings, request, ending));
        let interest = match next {
            Next::Read => Interest::Read,
            Next::Write => Interest::Write,
            Next::End => {
                clients.remove(&number);
                return;
            }
        };
        if *ending {
            client.flush_within(LAST_FLUSH_TIMEOUT);
        }
        if client.set_next(next) && poller.modify(client.socket(), number, interest).is_err() {
            clients.remove(&number);
        }
    }

    /// Unlinks all that it owns. The ledger goes when the process exits.
    fn end(&mut self) {
        self.holdings.release_all();
    }
}

fn answer(holdings: &mut Holdings, request: Request, ending: &mut bool) -> Response {
    *ending |= request == Request::Shutdown;
    holdings.answer(request)
}
