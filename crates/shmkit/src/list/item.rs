//! One item: how it is stored, and when it equals what somebody looks for.

use super::format::{CODE_BYTES, CODE_NONE, CODE_PLAIN, CODE_STR, Format};

/// A value that a list can hold, as Python's types.
#[derive(Debug, Clone, PartialEq)]
pub enum Item<'a> {
    /// `int`, 64 bits.
    Int(i64),
    /// `float`.
    Float(f64),
    /// `bool`.
    Bool(bool),
    /// `None`.
    None,
    /// `str`, in UTF-8.
    Str(&'a str),
    /// `bytes`.
    Bytes(&'a [u8]),
}

impl Item<'_> {
    /// Bytes that its slot takes: a multiple of 8.
    pub fn slot_len(&self) -> usize {
        match self.payload() {
            Some(bytes) => 8 * (bytes.len() / 8 + 1),
            None => 8,
        }
    }

    /// The text's or the bytes' own bytes.
    pub fn payload(&self) -> Option<&[u8]> {
        match self {
            Item::Str(text) => Some(text.as_bytes()),
            Item::Bytes(bytes) => Some(bytes),
            _ => None,
        }
    }

    /// The struct format that CPython writes for it.
    pub fn format(&self) -> Format {
        match self {
            Item::Int(_) => Format::Int,
            Item::Float(_) => Format::Float,
            Item::Bool(_) => Format::Bool,
            Item::None => Format::None,
            // `Layout::new` refuses what is longer than the format can say.
            Item::Str(_) | Item::Bytes(_) => Format::Sized(self.slot_len() as u32),
        }
    }

    /// The code beside the format.
    pub fn code(&self) -> u8 {
        match self {
            Item::Int(_) | Item::Float(_) | Item::Bool(_) => CODE_PLAIN,
            Item::Str(_) => CODE_STR,
            Item::Bytes(_) => CODE_BYTES,
            Item::None => CODE_NONE,
        }
    }

    /// The first word of its slot, for all but text and bytes.
    pub fn word(&self) -> u64 {
        match self {
            Item::Int(value) => value.cast_unsigned(),
            Item::Float(value) => value.to_bits(),
            Item::Bool(value) => u64::from_ne_bytes([0, 0, 0, 0, 0, 0, 0, u8::from(*value)]),
            Item::None | Item::Str(_) | Item::Bytes(_) => 0,
        }
    }
}

/// What somebody looks for in a list. Numbers are equal when they are mathematically, as in Python;
/// booleans equal booleans alone, as in JavaScript.
#[derive(Debug, Clone, PartialEq)]
pub enum Needle<'a> {
    /// An integer: an equal `int`, or a `float` of exactly that value.
    Int(i64),
    /// A number: an equal `float`, or an `int` of exactly that value.
    Float(f64),
    /// Any NaN.
    Nan,
    /// `True` or `False`.
    Bool(bool),
    /// `None`.
    None,
    /// Text of these UTF-8 bytes.
    Str(&'a [u8]),
    /// These bytes.
    Bytes(&'a [u8]),
}

impl Needle<'_> {
    /// Whether the first word of a slot that is read by `format` could equal it; for text and bytes the
    /// bytes decide, and this says only that they are to be compared.
    pub(super) fn matches(&self, format: Format, code: u8, word: u64) -> bool {
        let same = |int: i64, float: f64| {
            // i64::MAX as f64 is 2^63, which no i64 is.
            float == int as f64 && float < 9_223_372_036_854_775_808.0 && float as i64 == int
        };
        match (self, format) {
            (Needle::Int(a), Format::Int) => *a == word.cast_signed(),
            (Needle::Int(a), Format::Float) => same(*a, f64::from_bits(word)),
            (Needle::Float(a), Format::Float) => *a == f64::from_bits(word),
            (Needle::Float(a), Format::Int) => same(word.cast_signed(), *a),
            (Needle::Nan, Format::Float) => f64::from_bits(word).is_nan(),
            (Needle::Bool(a), Format::Bool) => *a == (word.to_ne_bytes()[7] != 0),
            (Needle::None, Format::None) => true,
            (Needle::Str(_), Format::Sized(_)) => code == CODE_STR,
            (Needle::Bytes(_), Format::Sized(_)) => code == CODE_BYTES,
            _ => false,
        }
    }

    pub(super) fn payload(&self) -> Option<&[u8]> {
        match self {
            Needle::Str(bytes) | Needle::Bytes(bytes) => Some(bytes),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_equal_when_they_are_exactly() {
        let int = |value: i64| (Format::Int, 0, value.cast_unsigned());
        let float = |value: f64| (Format::Float, 0, value.to_bits());
        let is = |needle: Needle, (format, code, word)| needle.matches(format, code, word);
        assert!(is(Needle::Float(42.0), int(42)));
        assert!(is(Needle::Int(42), float(42.0)));
        assert!(!is(Needle::Float(42.5), int(42)));
        assert!(!is(Needle::Float(9_007_199_254_740_992.0), int(9_007_199_254_740_993)));
        assert!(!is(Needle::Float(9_223_372_036_854_775_808.0), int(i64::MAX)));
        assert!(is(Needle::Float(-9_223_372_036_854_775_808.0), int(i64::MIN)));
        assert!(!is(Needle::Float(f64::NAN), float(f64::NAN)) && is(Needle::Nan, float(f64::NAN)));
        assert!(!is(Needle::Bool(true), int(1)) && !is(Needle::Int(1), (Format::Bool, 0, 1 << 56)));
    }
}
