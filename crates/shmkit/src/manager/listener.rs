//! Where a manager listens. The starter makes the socket, and the server has it handed over: who wants to connect
//! meanwhile waits. Another kind of address, as Windows' named pipes, is one more here.

use core::net::{IpAddr, Ipv4Addr};
use std::io;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::Duration;

use crate::ownership::{LedgerDirectory, Token};
use crate::sys::descriptors::{AsFd, BorrowedFd, OwnedFd};
use crate::sys::file::{self, FileKind, Stat};
use crate::sys::process::user;
use crate::sys::socket::{self, PATH_MAX};
use crate::sys::{self, Errno};
use crate::{Error, Result};

/// Between binding and listening a socket looks as if nobody was there any more.
const SECOND_LOOK: Duration = Duration::from_millis(20);

/// So many may wait to be let in; the system has a limit of its own.
const BACKLOG: i32 = 4096;

/// Where a server listens. A named pipe, on Windows, will be one more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// A path of its own, in the directory of the ledgers.
    Default,
    /// A socket at this path.
    Path(String),
    /// A port of this machine's loopback interface; 0 for one that is free.
    Tcp(String, u16),
}

/// A socket that others connect to.
#[derive(Debug)]
pub struct Listener {
    socket: OwnedFd,
    file: Option<SocketFile>,
}

/// The file of a socket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SocketFile {
    /// Where it is.
    pub path: PathBuf,
    /// Which it is.
    pub inode: u64,
}

impl SocketFile {
    /// Takes it away, unless another one is there by now.
    pub fn remove(&self) {
        if file::stat_path(&self.path).is_ok_and(|it| it.id.inode == self.inode) {
            let _ = file::unlink(&self.path);
        }
    }
}

impl Listener {
    /// Listens at an address, the default one being that of the manager whose ledger has this token; says where that is.
    ///
    /// # Errors
    /// `EADDRINUSE`, `EACCES`, `ENOENT`, `ENAMETOOLONG`, … by the address, `ERR_INVALID_ARG_VALUE` for a host that is not
    /// this machine's own; `ERR_SHM_BUSY` if it would take longer than `timeout`.
    pub(super) fn bind(
        address: &Address,
        ledgers: &LedgerDirectory,
        token: Token,
        timeout: Duration,
    ) -> Result<(Self, Address)> {
        match address {
            // Nobody else draws this name.
            Address::Default => Self::bind_path(&ledgers.manager_socket(token), bind_file),
            Address::Path(path) => Self::bind_path(Path::new(path), |path| {
                // One after the other: of two that find a dead one's socket, the second must not remove the first one's.
                ledgers.exclusively(timeout, || match bind_file(path) {
                    Err(error) if error.code == "EADDRINUSE" => {
                        if timeout < SECOND_LOOK {
                            return Err(busy());
                        }
                        if !is_abandoned(path) {
                            return Err(error);
                        }
                        file::unlink(path).map_err(|it| failed(&it.into(), &path.display().to_string()))?;
                        bind_file(path)
                    }
                    result => result,
                })?
            }),
            Address::Tcp(host, port) => bind_tcp(host, *port),
        }
    }

    fn bind_path(path: &Path, bind: impl FnOnce(&Path) -> Result<OwnedFd>) -> Result<(Self, Address)> {
        let shown = path.display().to_string();
        if path.as_os_str().len() > PATH_MAX {
            let message = format!("the socket's path has more than {PATH_MAX} bytes: '{shown}'");
            return Err(Error {
                errno: Some(Errno::NAMETOOLONG.raw_os_error()),
                ..Error::own("ENAMETOOLONG", message)
            });
        }
        let socket = bind(path)?;
        let inode = file::stat_path(path).map_err(|errno| failed(&errno.into(), &shown))?.id.inode;
        let file = Some(SocketFile { path: path.to_owned(), inode });
        Ok((Listener { socket, file }, Address::Path(shown)))
    }

    /// The one that somebody else made; with its file, unless it is a port's.
    pub fn handed(socket: OwnedFd, file: Option<SocketFile>) -> Self {
        Listener { socket, file }
    }

    /// Its file; `None` for a port.
    pub fn file(&self) -> Option<&SocketFile> {
        self.file.as_ref()
    }

    /// The next one who wants to connect, if there is one.
    ///
    /// # Errors
    /// What the system says; `EACCES` of another user, who was let go.
    pub fn accept(&self) -> sys::Result<Option<OwnedFd>> {
        let socket = match socket::accept(&self.socket) {
            Ok(socket) => socket,
            Err(Errno::AGAIN) => return Ok(None),
            Err(errno) => return Err(errno),
        };
        if self.file.is_none() {
            socket::send_without_delay(&socket)?;
        } else {
            let peer = socket::peer_user(&socket)?;
            // Segments are their user's, and another one's cannot be owned here.
            if peer != user() && peer != 0 {
                return Err(Errno::ACCESS);
            }
        }
        Ok(Some(socket))
    }
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

fn bind_tcp(host: &str, port: u16) -> Result<(Listener, Address)> {
    let refused = |error: io::Error| failed(&error, &format!("{host}:{port}"));
    let ip = if host == "localhost" { Some(IpAddr::V4(Ipv4Addr::LOCALHOST)) } else { host.parse().ok() };
    let Some(ip) = ip.filter(IpAddr::is_loopback) else {
        let message = format!(
            "a manager listens to this machine alone: the host is 'localhost' or '127.0.0.1', not '{host}'"
        );
        return Err(Error::own("ERR_INVALID_ARG_VALUE", message));
    };
    let (socket, port) = socket::listen_tcp(ip, port).map_err(refused)?;
    Ok((Listener { socket, file: None }, Address::Tcp(ip.to_string(), port)))
}

/// A socket at this path that nobody else can connect to. The mode is set before there is a file: its default goes by the
/// umask, which is the whole process's.
fn bind_file(path: &Path) -> Result<OwnedFd> {
    socket::listen(path, BACKLOG).map_err(|errno| failed(&errno.into(), &path.display().to_string()))
}

/// Whether it is a socket of this user's that nobody listens at: what a manager leaves that is killed.
fn is_abandoned(path: &Path) -> bool {
    let is_mine = |it: Stat| it.kind == FileKind::Socket && it.uid == user();
    // Without waiting: somebody may listen, and be stopped.
    let is_refused = || socket::connect(path).is_err_and(|errno| errno == Errno::CONNREFUSED);
    let is_dead = || file::stat_path(path).is_ok_and(is_mine) && is_refused();
    is_dead() && {
        sleep(SECOND_LOOK);
        is_dead()
    }
}

fn busy() -> Error {
    Error::own("ERR_SHM_BUSY", "another one may listen there")
}

fn failed(error: &io::Error, address: &str) -> Error {
    let described = Error::io(error, Errno::IO, "listen");
    let errno = Errno::from_io_error(error).unwrap_or(Errno::IO);
    let what = match errno {
        Errno::NOENT => "there is no such folder",
        Errno::ACCESS => "permission denied",
        Errno::NOTDIR => "a part of the path is no folder",
        Errno::ADDRINUSE => "another process listens there; choose another address, or connect() to it",
        Errno::ADDRNOTAVAIL => "this machine has no such address",
        _ => &described.message,
    };
    let code = match errno {
        Errno::ADDRINUSE => "EADDRINUSE",
        Errno::ADDRNOTAVAIL => "EADDRNOTAVAIL",
        _ => described.code,
    };
    Error { code, message: format!("{what}: '{address}'"), ..described }
}
