//! Identities as text: `DEVICE:INODE`, as descriptors have them.

use std::fmt;
use std::str::FromStr;

use super::Identity;
use crate::{Class, Error};

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.device, self.inode)
    }
}

impl FromStr for Identity {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let parsed = text.split_once(':').and_then(|(device, inode)| {
            Some(Identity { device: device.parse().ok()?, inode: inode.parse().ok()? })
        });
        parsed.ok_or_else(|| Error {
            class: Class::Type,
            ..Error::own("ERR_INVALID_ARG_VALUE", format!("'{text}' is no descriptor's id"))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identity_is_read_as_it_is_shown() {
        let id = Identity { device: 26, inode: u64::MAX };
        assert_eq!(id.to_string(), "26:18446744073709551615");
        assert_eq!(id.to_string().parse(), Ok(id));
        for wrong in ["", "26", "26:", ":1", "26:1:1", "26:-1", "a:b"] {
            assert_eq!(wrong.parse::<Identity>().map_err(|error| error.code), Err("ERR_INVALID_ARG_VALUE"));
        }
    }
}
