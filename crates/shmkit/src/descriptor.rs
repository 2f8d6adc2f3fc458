//! Descriptors: plain data that names a shared object for another process or thread, of either language.
//!
//! The fields are `version`, `kind`, `name`, `id` and `readOnly`; some kinds add their own, such as an array's shape. A
//! descriptor that somebody wrote by hand may leave out all but `kind` and `name`.

use std::fmt;
use std::str::FromStr;

use crate::segment::{Identity, Name};
use crate::{Error, Result};

/// The version of the fields. Increment it when the meaning of one changes.
pub const VERSION: u32 = 1;

/// What a descriptor names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum ObjectKind {
    Memory,
    List,
    Array,
    Dict,
    Queue,
    Broadcast,
    Mutex,
    Event,
}

impl ObjectKind {
    /// All of them, with their names.
    pub const ALL: [(Self, &str); 8] = [
        (Self::Memory, "memory"),
        (Self::List, "list"),
        (Self::Array, "array"),
        (Self::Dict, "dict"),
        (Self::Queue, "queue"),
        (Self::Broadcast, "broadcast"),
        (Self::Mutex, "mutex"),
        (Self::Event, "event"),
    ];

    /// The value of the field `kind`.
    pub const fn as_str(self) -> &'static str {
        Self::ALL[self as usize].1
    }
}

impl fmt::Display for ObjectKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for ObjectKind {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let found = Self::ALL.iter().find(|(_, name)| *name == text);
        let unknown = || Error::own("ERR_SHM_KIND", format!("this version of shmkit has no kind '{text}'"));
        found.map(|(kind, _)| *kind).ok_or_else(unknown)
    }
}

/// A shared object, and which one of its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Descriptor {
    /// What it is.
    pub kind: ObjectKind,
    /// The segment's name.
    pub name: Name,
    /// Which segment of that name; `None` for any.
    pub id: Option<Identity>,
}

impl Descriptor {
    /// Reads the fields of a descriptor. `expected` is the only kind that the caller can attach to.
    ///
    /// # Errors
    /// `ERR_SHM_NAME`, `ERR_SHM_VERSION`, `ERR_SHM_KIND`, `ERR_INVALID_ARG_VALUE`.
    pub fn read(
        version: Option<u32>,
        kind: &str,
        name: &str,
        id: Option<&str>,
        expected: Option<ObjectKind>,
    ) -> Result<Self> {
        let name = Name::new(name)?;
        let read = || {
            if let Some(version) = version.filter(|version| *version != VERSION) {
                let message =
                    format!("the descriptor has version {version}, and this shmkit reads {VERSION}");
                return Err(Error::own("ERR_SHM_VERSION", message));
            }
            if let Some(expected) = expected.filter(|expected| expected.as_str() != kind) {
                let message =
                    format!("the descriptor names a shared object of kind '{kind}', not '{expected}'");
                return Err(Error::own("ERR_SHM_KIND", message));
            }
            Ok((kind.parse()?, id.map(str::parse).transpose()?))
        };
        let (kind, id) = read().map_err(|error| error.about(name.as_str()))?;
        Ok(Descriptor { kind, name, id })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(read: Result<Descriptor>) -> &'static str {
        read.map_or_else(|error| error.code, |_| "none")
    }

    #[test]
    fn kinds_are_read_as_they_are_shown() {
        for (index, (kind, name)) in ObjectKind::ALL.into_iter().enumerate() {
            assert_eq!((kind as usize, kind.to_string().as_str()), (index, name));
            assert_eq!(name.parse(), Ok(kind));
        }
    }

    #[test]
    fn a_descriptor_is_of_this_version_and_of_the_expected_kind() {
        let read = |version, kind, id, expected| Descriptor::read(version, kind, "a", id, expected);
        let by_hand = read(None, "dict", None, None);
        assert_eq!(by_hand.map(|it| (it.kind, it.id)), Ok((ObjectKind::Dict, None)));
        let id = Identity { device: 1, inode: 2 };
        let whole = read(Some(VERSION), "dict", Some("1:2"), Some(ObjectKind::Dict));
        assert_eq!(whole.map(|it| it.id), Ok(Some(id)));
        assert_eq!(code(read(Some(VERSION + 1), "dict", None, None)), "ERR_SHM_VERSION");
        assert_eq!(code(read(None, "dict", None, Some(ObjectKind::List))), "ERR_SHM_KIND");
        assert_eq!(code(read(None, "tree", None, None)), "ERR_SHM_KIND");
        assert_eq!(code(read(None, "dict", Some("1"), None)), "ERR_INVALID_ARG_VALUE");
        assert_eq!(code(Descriptor::read(None, "dict", "a/b", None, None)), "ERR_SHM_NAME");
    }
}
