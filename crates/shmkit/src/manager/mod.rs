//! The wire of CPython's `SharedMemoryManager`, for both ends: a server process that owns segments, and whoever asks it
//! to. Bytes in, bytes out: connections, clocks and events are for those who use it, so that all of it can be tested and
//! fuzzed without any. Only how a server is started (`start.rs`), and where it listens (`listener.rs`), is the system's.
//!
//! ```text
//! frame     !i length, payload                          below 2 GB, and longer ones nobody here takes
//!
//! server                                      client
//!   #CHALLENGE#{sha256}40 random bytes  ──▶
//!                                       ◀──   {sha256}HMAC of it, or 16 bytes of HMAC-MD5 before Python 3.12
//!   #WELCOME#, or #FAILURE# and the end ──▶
//!                                       ◀──   #CHALLENGE#…           and the same the other way round
//!   the HMAC of that                    ──▶
//!                                       ◀──   #WELCOME#
//!                                       ◀──   (None, 'track_segment', ('psm_1',), {})       a pickle
//!   ('#RETURN', None)                   ──▶
//! ```
//!
//! CPython's server ends a connection after one request. Ours goes on, for clients that have more.

mod auth;
mod client;
mod frame;
mod holdings;
mod listener;
pub mod pickle;
mod request;
mod session;
mod start;

use std::time::Duration;

pub use auth::draw_key;
pub use client::{ClientSession, ReturnValue};
pub use frame::{Frames, frame};
pub use holdings::Holdings;
pub use listener::{Address, Listener, SocketFile};
pub use request::{Request, Response};
pub use session::ServerSession;
pub use start::{Instructions, Server, Settings, Watch, failure_message, started_message};

/// The longest message from a peer that has not authenticated, as in CPython.
pub const UNKNOWN_MAX: usize = 256;
/// The longest request: a name has 255 bytes.
pub const REQUEST_MAX: usize = 64 << 10;
/// The longest response: two million names.
pub const RESPONSE_MAX: usize = 64 << 20;
/// How long a peer may leave a handshake, a message or the reading of a response unfinished.
pub const PEER_TIMEOUT: Duration = Duration::from_secs(10);

/// What is no message of this protocol.
fn protocol(message: impl Into<String>) -> crate::Error {
    crate::Error::own("ERR_SHM_PROTOCOL", message)
}
