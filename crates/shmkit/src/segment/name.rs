//! Names of segments, checked before any system call.

use std::fmt;

use std::cell::RefCell;

use crate::sys::shm;
use crate::{Error, Result};

/// How names begin that `Name::random` draws, and how long they are with the digits that follow.
const PREFIX: &str = "shmkit_";
const RANDOM_LENGTH: usize = 19;

/// The suffix of the names of sidecar locks.
const SIDECAR: &str = ".lk";

/// How the directories of ledgers are called.
pub(crate) const LEDGERS: &str = ".shmkit-";

/// A valid segment name, without the slash that POSIX puts before it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Name(String);

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Name {
    /// Checks a name that a user gave.
    ///
    /// # Errors
    /// `ERR_SHM_NAME` for an empty name, `.`, `..`, one with NUL or a slash in it, or one that is longer
    /// than the platform's limit (255 bytes on Linux).
    pub fn new(name: &str) -> Result<Self> {
        let refuse = |why: String| Err(Error::own("ERR_SHM_NAME", why).about(name));
        if name.is_empty() {
            return refuse("a segment's name must not be empty".into());
        }
        if name == "." || name == ".." {
            return refuse(format!("'{name}' cannot be a segment's name"));
        }
        if name.starts_with(LEDGERS) {
            return refuse(format!("names that begin with '{LEDGERS}' are for the ledgers of who owns what"));
        }
        if name.contains('\0') {
            return refuse("a segment's name must not contain NUL".into());
        }
        if name.contains('/') {
            return refuse("a segment's name must not contain '/'; the leading one is added for you".into());
        }
        if name.len() > shm::NAME_MAX {
            let (len, max) = (name.len(), shm::NAME_MAX);
            return refuse(format!("the name has {len} bytes, and the system allows {max}"));
        }
        Ok(Name(name.to_owned()))
    }

    /// A fresh name of 19 ASCII characters that nobody else will draw.
    ///
    /// # Errors
    /// Only if the system has no random numbers to give.
    pub fn random() -> Result<Self> {
        thread_local! {
            /// Drawn in one go for many names. A forked child has the same ones left: it finds the names
            /// taken and draws on.
            static DRAWN: RefCell<Vec<[u8; 6]>> = const { RefCell::new(Vec::new()) };
        }
        let bytes = DRAWN.with_borrow_mut(|drawn| -> Result<_> {
            if drawn.is_empty() {
                let mut fresh = [[0; 6]; 32];
                getrandom::fill(fresh.as_flattened_mut())
                    .map_err(|e| Error::os(e.raw_os_error().unwrap_or(5), "getrandom"))?;
                drawn.extend(fresh);
            }
            Ok(drawn.pop())
        })?;
        // 48 bits, as many as fit with the prefix into macOS's 31 bytes and stay readable.
        let mut name = String::with_capacity(RANDOM_LENGTH);
        name.push_str(PREFIX);
        for byte in bytes.unwrap_or_default() {
            for digit in [byte >> 4, byte & 15] {
                name.push(char::from(b"0123456789abcdef"[usize::from(digit)]));
            }
        }
        Ok(Name(name))
    }

    /// The name of the lock beside a segment of this name: `.lk` at its end, and of a name that is too long for that
    /// a digest in place of what is cut off.
    pub fn sidecar(&self) -> Name {
        let name = &self.0;
        if name.len() + SIDECAR.len() <= shm::NAME_MAX {
            return Name(format!("{name}{SIDECAR}"));
        }
        let mut kept = shm::NAME_MAX - SIDECAR.len() - 17;
        while !name.is_char_boundary(kept) {
            kept -= 1;
        }
        // FNV-1a: names that are alike up to there must differ, and nobody gains by making two that do not.
        let digest = name.bytes().fold(0xcbf2_9ce4_8422_2325u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        Name(format!("{}~{digest:016x}{SIDECAR}", &name[..kept]))
    }

    /// The name of the segment that this is the name of the lock beside of; `None` for other names, and for those
    /// that were cut off.
    pub(crate) fn sidecar_owner(&self) -> Option<Name> {
        let name = self.0.strip_suffix(SIDECAR).and_then(|name| Name::new(name).ok())?;
        (name.sidecar() == *self).then_some(name)
    }

    /// Whether it looks like one of `random`, or the lock beside it: nobody takes such a name a second time.
    pub fn is_random(&self) -> bool {
        let name = self.0.strip_suffix(SIDECAR).unwrap_or(&self.0);
        name.len() == RANDOM_LENGTH
            && name.strip_prefix(PREFIX).is_some_and(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()))
    }

    /// The name as users see it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_names_the_system_would_misread() {
        for name in ["", ".", "..", "/", "a/b", "/a", "a\0b", ".shmkit-0", &"n".repeat(256)] {
            let error = Name::new(name).expect_err(name);
            assert_eq!(error.code, "ERR_SHM_NAME");
        }
        for name in ["a", "...", "-", "psm_21467_46075", "ünï", &"n".repeat(255)] {
            assert_eq!(Name::new(name).expect("valid").as_str(), name);
        }
    }

    #[test]
    fn locks_beside_segments_have_names_of_their_own() {
        let sidecar = |name: &str| Name::new(name).expect(name).sidecar().as_str().to_owned();
        assert_eq!(sidecar("frames"), "frames.lk");
        assert_eq!(sidecar(&"n".repeat(252)).len(), 255);
        let (a, b) = (sidecar(&format!("{}a", "é".repeat(127))), sidecar(&format!("{}b", "é".repeat(127))));
        assert_ne!(a, b);
        for long in [a, b] {
            assert!(long.len() <= 255 && long.ends_with(".lk"), "{long}");
        }
    }

    #[test]
    fn random_names_differ_and_are_short_enough_for_every_platform() {
        let (a, b) = (Name::random().expect("random"), Name::random().expect("random"));
        assert_ne!(a, b);
        assert!(a.as_str().len() < 31);
        assert!(a.is_random() && b.is_random());
        for name in ["shmkit_", "shmkit_00000000000", "shmkit_00000000000g", "frames", "psm_00000000000000"] {
            assert!(!Name::new(name).expect(name).is_random(), "{name}");
        }
    }
}
