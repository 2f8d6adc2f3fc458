//! CPython's resource tracker, joined on request: a Python parent hands over the pipe to its tracker, and what this
//! process creates and unlinks is said there too, so that both agree on what is still there at the end.
//!
//! A line for each message, in one of two formats:
//!
//! ```text
//! colon  REGISTER:/name:shared_memory                                              every CPython
//! json   {"cmd":"REGISTER","rtype":"shared_memory","base64_name":"L25hbWU="}       3.13.10, 3.14.1 and later
//! ```
//!
//! CPython's is a set of names: registering twice is once, and forgetting what is not in it prints a traceback.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE;

use crate::error::system_error;
use crate::segment::Name;
use crate::sys::descriptors::OwnedFd;
use crate::sys::per_process::PerProcess;
use crate::sys::pipe::{self, Refused};
use crate::sys::{Errno, lock, poll};
use crate::{Class, Error, Result};

/// CPython's limit, so that a line is written at once by whoever shares the pipe.
const LINE_MAX: usize = 512;
/// For a reader that is stopped.
const STALL: Duration = Duration::from_millis(100);

/// How messages are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Fields with colons between them; ASCII alone.
    Colon,
    /// A JSON object; any name.
    Json,
}

#[derive(Debug)]
struct Joined {
    pipe: OwnedFd,
    format: Format,
    /// Its reader was not reading when it was told something last.
    stalled: bool,
}

static JOINED: PerProcess<Joined> = PerProcess::new();

/// In a forked child, which nobody asked to join.
pub(crate) fn forget() {
    JOINED.forget();
}

/// Says to the tracker behind this pipe what this process creates and unlinks from now on. The descriptor is
/// copied; a later call takes the place of the one before.
///
/// # Errors
/// `EBADF`; `ERR_INVALID_ARG_VALUE` if it is no pipe that can be written to.
pub fn join(descriptor: i32, format: Format) -> Result<()> {
    let refuse = |why: &str| {
        let message = format!("descriptor {descriptor} is not a resource tracker's: {why}");
        Err(Error { class: Class::Type, ..Error::own("ERR_INVALID_ARG_VALUE", message) })
    };
    if descriptor < 0 {
        return refuse("it is negative");
    }
    let pipe = match pipe::open_writer(descriptor) {
        Ok(pipe) => pipe,
        Err(Refused::System(errno)) => return Err(system_error("fstat")(errno)),
        Err(why) => return refuse(&why.to_string()),
    };
    *JOINED.lock() = Some(Joined { pipe, format, stalled: false });
    Ok(())
}

/// Checks that the tracker, if one is joined, can be told of this name.
///
/// # Errors
/// `ERR_SHM_PYTHON_TRACKER` for a name that the colon format cannot say.
pub(crate) fn check(name: &Name) -> Result<()> {
    match &*JOINED.lock() {
        Some(joined) => line(joined.format, "REGISTER", name).map(drop),
        None => Ok(()),
    }
}

/// A segment of this process appears.
pub(crate) fn register(name: &Name) {
    send(&["REGISTER"], name);
}

/// A name is gone. It may never have been registered, and then CPython's must not be asked to forget it.
pub(crate) fn unregister(name: &Name) {
    send(&["REGISTER", "UNREGISTER"], name);
}

fn send(commands: &[&str], name: &Name) {
    let mut held = JOINED.lock();
    let Some(tracker) = &mut *held else { return };
    let lines: Result<Vec<String>> =
        commands.iter().map(|command| line(tracker.format, command, name)).collect();
    let Ok(lines) = lines else { return };
    if !tracker.write_lines(lines.concat().as_bytes()) {
        *held = None; // it is gone, and with it whoever asked for this
    }
}

impl Joined {
    /// Writes it, and says whether somebody reads. A pipe that is full because its reader was stopped is given a
    /// moment, once: this is an event loop's thread.
    fn write_lines(&mut self, bytes: &[u8]) -> bool {
        let time = if self.stalled { Duration::ZERO } else { STALL };
        let ready = lock::retry(|| poll::wait_writable(&self.pipe, time));
        // At most PIPE_BUF bytes, which a pipe takes whole or not at all.
        let written = match ready {
            Ok(false) => Err(Errno::AGAIN),
            Ok(true) => pipe::write_once(&self.pipe, bytes).map(drop),
            Err(errno) => Err(errno),
        };
        self.stalled = written == Err(Errno::AGAIN);
        written.is_ok() || self.stalled
    }
}

fn line(format: Format, command: &str, name: &Name) -> Result<String> {
    let name = name.as_str();
    match format {
        Format::Json => {
            let encoded = URL_SAFE.encode(format!("/{name}"));
            Ok(format!(
                "{{\"cmd\":\"{command}\",\"rtype\":\"shared_memory\",\"base64_name\":\"{encoded}\"}}\n"
            ))
        }
        Format::Colon if name.is_ascii() && !name.contains([':', '\n', '\r']) => {
            Ok(format!("{command}:/{name}:shared_memory\n"))
        }
        Format::Colon => {
            let message = "Python's resource tracker cannot be told this name in its colon format; choose another \
                           name, or the format 'json' with CPython 3.13.10, 3.14.1 and later";
            Err(Error::own("ERR_SHM_PYTHON_TRACKER", message).about(name))
        }
    }
}

const _: () = assert!(
    "{\"cmd\":\"UNREGISTER\",\"rtype\":\"shared_memory\",\"base64_name\":\"\"}\n".len() + 344 < LINE_MAX
);

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> Name {
        Name::new(text).expect("a name")
    }

    #[test]
    fn lines_are_those_of_cpython() {
        assert_eq!(
            line(Format::Colon, "REGISTER", &name("psm_1")).expect("said"),
            "REGISTER:/psm_1:shared_memory\n"
        );
        assert_eq!(
            line(Format::Json, "UNREGISTER", &name("a:b\nü?~")).expect("said"),
            "{\"cmd\":\"UNREGISTER\",\"rtype\":\"shared_memory\",\"base64_name\":\"L2E6YgrDvD9-\"}\n"
        );
    }

    #[test]
    fn the_colon_format_has_its_limits() {
        for bad in ["a:b", "a\nb", "ü"] {
            assert_eq!(
                line(Format::Colon, "REGISTER", &name(bad)).expect_err(bad).code,
                "ERR_SHM_PYTHON_TRACKER"
            );
        }
    }

    #[test]
    fn no_line_is_longer_than_cpython_allows() {
        let longest = line(Format::Json, "UNREGISTER", &name(&"n".repeat(255))).expect("said");
        assert!(longest.len() < LINE_MAX);
        assert!(line(Format::Colon, "UNREGISTER", &name(&"n".repeat(255))).expect("said").len() < LINE_MAX);
    }
}
