//! Stream sockets of this machine. None of the calls blocks.

use std::io;
use std::net::{IpAddr, Shutdown, TcpListener};
use std::os::fd::{AsFd, OwnedFd};
/// Listens for local streams, and a local stream, for reading and writing it as Rust does.
pub use std::os::unix::net::{UnixListener as LocalListener, UnixStream as LocalStream};
use std::path::Path;

use rustix::fs::{Mode, fchmod};
use rustix::net::{
    self, AddressFamily, RecvFlags, SendFlags, SocketAddrUnix, SocketFlags, SocketType, accept_with,
    socket_with, sockopt,
};

use super::errno::Result;

/// The longest path that a socket can have, which is followed by a zero.
pub const PATH_MAX: usize = 107;

const FLAGS: SocketFlags = SocketFlags::CLOEXEC.union(SocketFlags::NONBLOCK);

/// Connects to the socket at a path.
///
/// # Errors
/// The system's; `ECONNREFUSED` if no process listens.
pub fn connect(path: &Path) -> Result<OwnedFd> {
    let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, FLAGS, None)?;
    net::connect(&socket, &SocketAddrUnix::new(path)?)?;
    Ok(socket)
}

/// Listens at a path, for this user alone. The mode is set before there is a file: its default depends on the umask, which
/// belongs to the whole process.
///
/// # Errors
/// The system's.
pub fn listen(path: &Path, backlog: i32) -> Result<OwnedFd> {
    let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, FLAGS, None)?;
    fchmod(&socket, Mode::RWXU)?;
    net::bind(&socket, &SocketAddrUnix::new(path)?)?;
    net::listen(&socket, backlog).inspect_err(|_| drop(std::fs::remove_file(path)))?;
    Ok(socket)
}

/// Listens at a port of an address, or at one that is free if it is 0. Returns the socket and its port.
///
/// # Errors
/// The system's.
pub fn listen_tcp(address: IpAddr, port: u16) -> io::Result<(OwnedFd, u16)> {
    let listener = TcpListener::bind((address, port))?;
    listener.set_nonblocking(true)?;
    let port = listener.local_addr()?.port();
    Ok((listener.into(), port))
}

/// Ends a stream in one direction: the other end reads to its end, and can still send.
///
/// # Errors
/// The system's.
pub fn end_sending(stream: &LocalStream) -> io::Result<()> {
    stream.shutdown(Shutdown::Write)
}

/// The next connection.
///
/// # Errors
/// `EAGAIN` if there is none; else the system's.
pub fn accept(listener: impl AsFd) -> Result<OwnedFd> {
    accept_with(listener, FLAGS)
}

/// The user of the process at the other end.
///
/// # Errors
/// The system's.
pub fn peer_user(socket: impl AsFd) -> Result<u32> {
    Ok(sockopt::socket_peercred(socket)?.uid.as_raw())
}

/// Has small messages of a TCP socket sent at once.
///
/// # Errors
/// The system's.
pub fn send_without_delay(socket: impl AsFd) -> Result<()> {
    sockopt::set_tcp_nodelay(socket, true)
}

/// Sends bytes, and returns how many. A broken connection raises no signal.
///
/// # Errors
/// The system's.
pub fn send(socket: impl AsFd, bytes: &[u8]) -> Result<usize> {
    net::send(socket, bytes, SendFlags::NOSIGNAL)
}

/// As [`send`], without waiting on a socket that blocks.
pub(super) fn send_at_once(socket: impl AsFd, bytes: &[u8]) -> Result<usize> {
    net::send(socket, bytes, SendFlags::DONTWAIT | SendFlags::NOSIGNAL)
}

/// Receives bytes, and returns how many; 0 at the end.
///
/// # Errors
/// The system's.
pub fn receive(socket: impl AsFd, bytes: &mut [u8]) -> Result<usize> {
    net::recv(socket, bytes, RecvFlags::empty()).map(|(_, count)| count)
}
