//! The versions of a layout, in one word of each header: by which version it was made, and from which one on it can be used.

use crate::{Error, Result};

/// The version of a layout that this build makes, and the oldest one that it can use.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LayoutVersion {
    current: u32,
    oldest: u32,
}

impl LayoutVersion {
    /// A version that can use no other one.
    pub(crate) const fn only(version: u32) -> Self {
        LayoutVersion { current: version, oldest: version }
    }

    /// The word of a header: the version in its lower half, the oldest version that can use it in its upper half.
    pub(crate) const fn word(self) -> u64 {
        (self.oldest as u64) << 32 | self.current as u64
    }

    /// Refuses what this build cannot use, and what cannot use it.
    ///
    /// # Errors
    /// `ERR_SHM_VERSION`; `ERR_SHM_CORRUPT` if there is no version.
    pub(crate) fn check(self, word: u64, what: &str) -> Result<()> {
        if self.fits(word) {
            return Ok(());
        }
        let (made, current) = (word as u32, self.current);
        if word == 0 {
            return Err(Error::own("ERR_SHM_CORRUPT", format!("the {what}'s header has no version")));
        }
        let message = format!(
            "the {what} has layout {made}, and this version of shmkit works with layout {current}; use the same \
             version everywhere"
        );
        Err(Error::own("ERR_SHM_VERSION", message))
    }

    /// Whether this build can use what has this word.
    pub(crate) fn fits(self, word: u64) -> bool {
        let (made, from) = (word as u32, (word >> 32) as u32);
        made >= self.oldest && from <= self.current
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn older_and_newer_layouts_are_refused() {
        let ours = LayoutVersion::only(2);
        assert!(ours.fits(ours.word()));
        assert!(!ours.fits(LayoutVersion::only(1).word()), "older");
        assert!(!ours.fits(LayoutVersion::only(3).word()), "newer");
        assert!(ours.fits(LayoutVersion { current: 3, oldest: 2 }.word()), "newer, and made for us too");
        let both = LayoutVersion { current: 2, oldest: 1 };
        assert!(both.fits(LayoutVersion::only(1).word()), "older, and known");
        let code = |word| ours.check(word, "queue").map_err(|error| error.code);
        assert_eq!(code(LayoutVersion::only(1).word()), Err("ERR_SHM_VERSION"));
        assert_eq!(code(0), Err("ERR_SHM_CORRUPT"));
    }
}
