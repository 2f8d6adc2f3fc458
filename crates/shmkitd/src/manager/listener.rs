//! Where a manager listens. Another kind of address, as Windows' named pipes, is one more here.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::Duration;

use rustix::io::Errno;
use rustix::net::{
    AddressFamily, SocketAddrUnix, SocketFlags, SocketType, accept_with, connect, socket_with, sockopt,
};
use rustix::process::geteuid;
use shmkit::Error;
use shmkit::ledger::{Ledger, PATIENCE};
use shmkit::manager::Address;

/// The longest path that a socket can have, and a zero after it.
const PATH_MAX: usize = 107;
/// Between binding and listening a socket looks as if nobody was there any more.
const SECOND_LOOK: Duration = Duration::from_millis(20);

/// A socket that others connect to.
pub(super) struct Listener {
    socket: OwnedFd,
    address: Address,
    /// The socket's file, and its inode.
    file: Option<(PathBuf, u64)>,
}

impl Listener {
    pub(super) fn bind(address: &Address, ledger: &Ledger) -> Result<Self, Error> {
        match address {
            Address::Default => bind_path(&ledger.home().manager_socket(ledger.token()), ledger),
            Address::Path(path) => bind_path(Path::new(path), ledger),
            Address::Tcp(host, port) => bind_tcp(host, *port),
        }
    }

    /// Where it is found.
    pub(super) fn address(&self) -> &Address {
        &self.address
    }

    /// The next one who wants to connect, if there is one.
    pub(super) fn accept(&self) -> Result<Option<OwnedFd>, Errno> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket = match accept_with(&self.socket, flags) {
            Ok(socket) => socket,
            Err(Errno::AGAIN) => return Ok(None),
            Err(errno) => return Err(errno),
        };
        if self.file.is_none() {
            sockopt::set_tcp_nodelay(&socket, true)?;
        } else {
            let peer = sockopt::socket_peercred(&socket)?.uid;
            // Segments are their user's, and another one's cannot be owned here.
            if peer != geteuid() && !peer.is_root() {
                return Err(Errno::ACCESS);
            }
        }
        Ok(Some(socket))
    }

    /// Takes the socket's file away, unless it is another one's by now.
    pub(super) fn leave(&self) {
        if let Some((path, inode)) = &self.file
            && std::fs::symlink_metadata(path).is_ok_and(|it| it.ino() == *inode)
        {
            let _ = std::fs::remove_file(path);
        }
    }
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

fn bind_tcp(host: &str, port: u16) -> Result<Listener, Error> {
    let refused = |error: io::Error| failed(&error, &format!("{host}:{port}"));
    let ip = if host == "localhost" { Some(IpAddr::V4(Ipv4Addr::LOCALHOST)) } else { host.parse().ok() };
    let Some(ip) = ip.filter(IpAddr::is_loopback) else {
        let message = format!(
            "a manager listens to this machine alone: the host is 'localhost' or '127.0.0.1', not '{host}'"
        );
        return Err(Error::own("ERR_INVALID_ARG_VALUE", message));
    };
    let listener = TcpListener::bind(SocketAddr::new(ip, port)).map_err(refused)?;
    listener.set_nonblocking(true).map_err(refused)?;
    let port = listener.local_addr().map_err(refused)?.port();
    Ok(Listener { socket: listener.into(), address: Address::Tcp(ip.to_string(), port), file: None })
}

fn bind_path(path: &Path, ledger: &Ledger) -> Result<Listener, Error> {
    let shown = path.display().to_string();
    if path.as_os_str().len() > PATH_MAX {
        let message = format!("the socket's path has more than {PATH_MAX} bytes: '{shown}'");
        return Err(Error { errno: Some(36), ..Error::own("ENAMETOOLONG", message) });
    }
    let refused = |error: io::Error| failed(&error, &shown);
    // One after the other: of two that find a dead one's socket, the second must not remove the first one's.
    let bound = ledger.home().exclusively(PATIENCE, || match UnixListener::bind(path) {
        Err(error) if error.kind() == io::ErrorKind::AddrInUse && is_abandoned(path) => {
            std::fs::remove_file(path)?;
            UnixListener::bind(path)
        }
        result => result,
    })?;
    let listener = bound.map_err(refused)?;
    listener.set_nonblocking(true).map_err(refused)?;
    let inode = std::fs::symlink_metadata(path).map_err(refused)?.ino();
    Ok(Listener {
        socket: listener.into(),
        address: Address::Path(shown),
        file: Some((path.to_owned(), inode)),
    })
}

/// Whether it is a socket of this user's that nobody listens at: what a manager leaves that is killed.
fn is_abandoned(path: &Path) -> bool {
    let is_mine = |it: std::fs::Metadata| it.file_type().is_socket() && it.uid() == geteuid().as_raw();
    // Without waiting: somebody may listen, and be stopped.
    let call = || {
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
        connect(&socket, &SocketAddrUnix::new(path)?)
    };
    let is_dead = || std::fs::symlink_metadata(path).is_ok_and(is_mine) && call() == Err(Errno::CONNREFUSED);
    is_dead() && {
        sleep(SECOND_LOOK);
        is_dead()
    }
}

fn failed(error: &io::Error, address: &str) -> Error {
    let errno = error.raw_os_error().unwrap_or(5);
    let described = Error::os(errno, "listen");
    let what = match errno {
        2 => "there is no such folder",
        13 => "permission denied",
        20 => "a part of the path is no folder",
        98 => "another process listens there; choose another address, or connect() to it",
        99 => "this machine has no such address",
        _ => &described.message,
    };
    let code = match errno {
        98 => "EADDRINUSE",
        99 => "EADDRNOTAVAIL",
        _ => described.code,
    };
    Error { code, message: format!("{what}: '{address}'"), ..described }
}
