//! The 8-byte struct format and the code that CPython keeps for each item.

/// How a slot's bytes are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// `q`: a signed 64-bit integer.
    Int,
    /// `d`: a 64-bit float.
    Float,
    /// `xxxxxxx?`: a boolean in byte 7.
    Bool,
    /// `xxxxxx?x`: `None`.
    None,
    /// `%ds`: up to so many bytes of text or of plain bytes.
    Sized(u32),
}

/// `q` as the word it is in memory.
pub const INT: u64 = u64::from_ne_bytes(*b"q\0\0\0\0\0\0\0");
/// `d`.
pub const FLOAT: u64 = u64::from_ne_bytes(*b"d\0\0\0\0\0\0\0");
/// `xxxxxxx?`.
pub const BOOL: u64 = u64::from_ne_bytes(*b"xxxxxxx?");
/// `xxxxxx?x`.
pub const NONE: u64 = u64::from_ne_bytes(*b"xxxxxx?x");

/// What CPython makes of the unpacked value: the value itself,
pub const CODE_PLAIN: u8 = 0;
/// text,
pub const CODE_STR: u8 = 1;
/// bytes,
pub const CODE_BYTES: u8 = 2;
/// or `None`.
pub const CODE_NONE: u8 = 3;

/// The longest text or bytes whose `%ds` fits into 8 characters.
pub const MAX_SIZED: usize = 9_999_999;

impl Format {
    /// Reads a format word. `None` if it is none of CPython's.
    pub fn from_word(word: u64) -> Option<Self> {
        match word {
            INT => Some(Format::Int),
            FLOAT => Some(Format::Float),
            BOOL => Some(Format::Bool),
            NONE => Some(Format::None),
            _ => sized(word).map(Format::Sized),
        }
    }

    /// The format word of this.
    pub fn to_word(self) -> u64 {
        match self {
            Format::Int => INT,
            Format::Float => FLOAT,
            Format::Bool => BOOL,
            Format::None => NONE,
            Format::Sized(len) => {
                let mut bytes = [0u8; 8];
                let text = format!("{len}s");
                bytes[..text.len().min(8)].copy_from_slice(&text.as_bytes()[..text.len().min(8)]);
                u64::from_ne_bytes(bytes)
            }
        }
    }
}

/// The number of a `%ds`: 1 to 7 digits without a leading zero, an `s`, then NULs.
fn sized(word: u64) -> Option<u32> {
    let bytes = word.to_ne_bytes();
    let end = bytes.iter().position(|byte| *byte == b's')?;
    let (digits, rest) = (&bytes[..end], &bytes[end + 1..]);
    let plain = !digits.is_empty()
        && digits.iter().all(u8::is_ascii_digit)
        && (digits[0] != b'0' || digits.len() == 1)
        && rest.iter().all(|byte| *byte == 0);
    plain.then(|| digits.iter().fold(0, |number, digit| number * 10 + u32::from(digit - b'0')))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn word(text: &[u8]) -> u64 {
        let mut bytes = [0; 8];
        bytes[..text.len()].copy_from_slice(text);
        u64::from_ne_bytes(bytes)
    }

    proptest! {
        #[test]
        fn sizes_survive_the_round_trip(len in 0u32..=9_999_999) {
            prop_assert_eq!(Format::from_word(Format::Sized(len).to_word()), Some(Format::Sized(len)));
        }

        #[test]
        fn any_word_is_read_or_refused_and_never_read_as_another(any: u64) {
            if let Some(format) = Format::from_word(any) {
                prop_assert_eq!(format.to_word(), any);
            }
        }
    }

    #[test]
    fn refuses_what_cpython_never_writes() {
        for text in [
            &b""[..],
            b"s",
            b"08s",
            b"8",
            b"8 s",
            b"-8s",
            b"8sx",
            b"\t",
            b"qq",
            b"xxxxxx??",
            b"8s\0\0\0\0\0x",
        ] {
            assert_eq!(Format::from_word(word(text)), None, "{text:?}");
        }
        assert_eq!(Format::from_word(word(b"5s")), Some(Format::Sized(5)), "an exact length is readable");
    }
}
