//! One connection: what arrives, what is to be sent, and by when.

use std::time::{Duration, Instant};

use shmkit::manager::{PEER_TIMEOUT, Request, Response, ServerSession};
use shmkit::sys::descriptors::OwnedFd;
use shmkit::sys::{Errno, poll, socket};

/// Read at a time from one of them: the others have their turn after that.
const CHUNK: usize = 16 << 10;

/// What a connection waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// Something to read.
    Read,
    /// Room for what is to be sent; until then nothing is read.
    Write,
    /// Nothing more.
    End,
}

/// Somebody at the other end of a connection.
pub(super) struct Connection {
    socket: OwnedFd,
    session: ServerSession,
    /// What is to be sent, of which so many bytes are.
    out: Vec<u8>,
    sent: usize,
    /// What is in `out` is the last of it.
    failed: bool,
    waits_for: Next,
    /// When something arrived last.
    last_received: Instant,
    /// Since when a handshake, a message or what is to be sent has been unfinished.
    unfinished: Option<Instant>,
}

impl Connection {
    pub(super) fn new(socket: OwnedFd) -> shmkit::Result<Self> {
        let (session, out) = ServerSession::new()?;
        let now = Instant::now();
        Ok(Connection {
            socket,
            session,
            out,
            sent: 0,
            failed: false,
            waits_for: Next::Read,
            last_received: now,
            unfinished: Some(now),
        })
    }

    pub(super) fn socket(&self) -> &OwnedFd {
        &self.socket
    }

    pub(super) fn is_known(&self) -> bool {
        self.session.is_known()
    }

    pub(super) fn last_received(&self) -> Instant {
        self.last_received
    }

    /// When it has had enough time; `None` while there is nothing that it has to do.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.unfinished.map(|since| since + PEER_TIMEOUT)
    }

    /// Whether it waits for something else than before, from now on.
    pub(super) fn set_next(&mut self, next: Next) -> bool {
        std::mem::replace(&mut self.waits_for, next) != next
    }

    /// Sends what there is, reads what came, and has it answered.
    pub(super) fn serve_client(&mut self, key: &[u8], mut answer: impl FnMut(Request) -> Response) -> Next {
        let mut answered = false;
        let next = match self.flush() {
            Next::Read => self.read(key, &mut |request| {
                answered = true;
                answer(request)
            }),
            next => next,
        };
        // A handshake as a whole has so much time, and so has each message after it.
        let is_done = next == Next::Read && self.session.is_idle();
        if is_done || answered {
            self.unfinished = None;
        }
        if !is_done {
            self.unfinished.get_or_insert_with(Instant::now);
        }
        next
    }

    fn read(&mut self, key: &[u8], answer: &mut impl FnMut(Request) -> Response) -> Next {
        let mut chunk = [0; CHUNK];
        let mut arrived: &[u8] = match socket::receive(&self.socket, &mut chunk) {
            Ok(0) => return Next::End,
            Ok(count) => {
                self.last_received = Instant::now();
                &chunk[..count.min(CHUNK)]
            }
            // There may be requests that were left until the responses were read.
            Err(Errno::AGAIN | Errno::INTR) => &[],
            Err(_) => return Next::End,
        };
        loop {
            let received = self.session.receive(arrived, key, &mut self.out, &mut *answer);
            arrived = &[];
            self.failed = received.is_err();
            if self.out.is_empty() {
                return if self.failed { Next::End } else { Next::Read };
            }
            match self.flush() {
                Next::Read => {}
                next => return next,
            }
        }
    }

    /// Sends as much as there is room for.
    fn flush(&mut self) -> Next {
        while self.sent < self.out.len() {
            match socket::send(&self.socket, &self.out[self.sent..]) {
                Ok(count) => self.sent += count,
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return Next::Write,
                Err(_) => return Next::End,
            }
        }
        self.out.clear();
        self.sent = 0;
        if self.failed { Next::End } else { Next::Read }
    }

    /// Sends the rest, and waits for it so long.
    pub(super) fn flush_within(&mut self, timeout: Duration) {
        let until = Instant::now() + timeout;
        while self.flush() == Next::Write {
            let left = until.saturating_duration_since(Instant::now());
            let ready = poll::wait_writable(&self.socket, left);
            if !matches!(ready, Ok(true) | Err(Errno::INTR)) {
                return;
            }
        }
    }
}
