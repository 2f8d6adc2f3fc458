//! What the bytes of a value are. Both bindings and the facade have the kinds, and what follows from them, from here.

/// The kind of a value, a byte of its record.
#[repr(u8)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum ValueKind {
    /// `null` or `None`; no bytes.
    Null = 0,
    /// No bytes.
    False = 1,
    /// No bytes.
    True = 2,
    /// An IEEE double, native-endian. A whole one is an int in Python.
    Number = 3,
    /// A sign in one word, then the magnitude in 64-bit words, native-endian, the lowest first.
    Bigint = 4,
    /// Text of characters up to U+00FF, a byte each.
    Latin1 = 5,
    /// Other text: UTF-16 units, native-endian.
    Utf16 = 6,
    /// As `Number`, of a whole number that is a float in Python.
    Float = 7,
    /// `Uint8Array`, `bytes`.
    Bytes = 16,
    /// The elements of a typed array, native-endian; as the next ones.
    Int8Array = 17,
    Uint8ClampedArray = 18,
    Int16Array = 19,
    Uint16Array = 20,
    Int32Array = 21,
    Uint32Array = 22,
    BigInt64Array = 23,
    BigUint64Array = 24,
    Float32Array = 25,
    Float64Array = 26,
    /// A structured clone, as V8 writes it: what MessagePack has no type for, or would change.
    Clone = 66,
    /// One value in MessagePack: plain objects and arrays, dicts and lists.
    MessagePack = 67,
}

use ValueKind::*;

impl ValueKind {
    /// All of them.
    pub const ALL: [Self; 21] = [
        Null,
        False,
        True,
        Number,
        Bigint,
        Latin1,
        Utf16,
        Float,
        Bytes,
        Int8Array,
        Uint8ClampedArray,
        Int16Array,
        Uint16Array,
        Int32Array,
        Uint32Array,
        BigInt64Array,
        BigUint64Array,
        Float32Array,
        Float64Array,
        Clone,
        MessagePack,
    ];

    /// The kind of this byte; `None` if a newer version wrote it.
    pub fn from_byte(byte: u8) -> Option<Self> {
        BY_BYTE[usize::from(byte)]
    }

    /// Its byte in a record.
    pub const fn byte(self) -> u8 {
        self as u8
    }

    /// Whether it is a primitive value, in JavaScript's sense.
    pub const fn is_primitive(self) -> bool {
        self.byte() < Bytes.byte()
    }

    /// Bytes of an element; `None` if it is no typed array.
    pub const fn element_size(self) -> Option<usize> {
        match self {
            Int8Array | Uint8ClampedArray => Some(1),
            Int16Array | Uint16Array => Some(2),
            Int32Array | Uint32Array | Float32Array => Some(4),
            BigInt64Array | BigUint64Array | Float64Array => Some(8),
            _ => None,
        }
    }
}

const BY_BYTE: [Option<ValueKind>; 256] = {
    let mut table = [None; 256];
    let mut i = 0;
    while i < ValueKind::ALL.len() {
        table[ValueKind::ALL[i] as usize] = Some(ValueKind::ALL[i]);
        i += 1;
    }
    table
};

/// Whether a kind is a number. Its bytes are one word, which is written over in place if its kind stays the same: a single
/// store of 8 bytes is as atomic as that of a slot's word.
pub fn is_number(kind: u8) -> bool {
    matches!(ValueKind::from_byte(kind), Some(Number | Float))
}

/// Whether two kinds, with the same bytes, are the same value.
pub fn is_same_kind(kind: u8, other: u8) -> bool {
    kind == other || is_number(kind) && is_number(other)
}

/// The bytes to store of a number. Of NaNs there are many; all of them are equal here, and have the same bytes.
pub fn number_bytes(number: f64) -> [u8; 8] {
    if number.is_nan() { NAN } else { number.to_ne_bytes() }
}

/// The same for bytes of a kind that somebody else has encoded.
pub fn canonical(kind: u8, bytes: &[u8]) -> &[u8] {
    let is_nan = is_number(kind) && bytes.try_into().is_ok_and(|bytes| f64::from_ne_bytes(bytes).is_nan());
    if is_nan { &NAN } else { bytes }
}

const NAN: [u8; 8] = f64::NAN.to_ne_bytes();

/// Puts a text's bytes into `into`, which is empty, and returns their kind.
pub fn encode_text(units: &[u16], into: &mut Vec<u8>) -> ValueKind {
    if units.iter().fold(0, |all, unit| all | unit) < 256 {
        into.extend(units.iter().map(|unit| *unit as u8));
        return Latin1;
    }
    into.reserve(units.len() * 2);
    units.iter().for_each(|unit| into.extend_from_slice(&unit.to_ne_bytes()));
    Utf16
}

/// The units of a `Utf16`; `None` if one is cut.
pub fn utf16_units(bytes: &[u8]) -> Option<Vec<u16>> {
    let (units, rest) = bytes.as_chunks();
    rest.is_empty().then(|| units.iter().map(|unit| u16::from_ne_bytes(*unit)).collect())
}

/// The bytes of a `Bigint`.
pub fn bigint_bytes(is_negative: bool, magnitude: impl IntoIterator<Item = u64>) -> Vec<u8> {
    [u64::from(is_negative)].into_iter().chain(magnitude).flat_map(u64::to_ne_bytes).collect()
}

/// Whether a `Bigint` is negative, and its magnitude; `None` if it has no sign.
pub fn bigint_words(bytes: &[u8]) -> Option<(bool, Vec<u64>)> {
    let (words, _) = bytes.as_chunks();
    let (sign, magnitude) = words.split_first()?;
    Some((*sign != [0; 8], magnitude.iter().map(|word| u64::from_ne_bytes(*word)).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_its_byte() {
        for kind in ValueKind::ALL {
            assert_eq!(ValueKind::from_byte(kind.byte()), Some(kind));
        }
        let known = (0..=u8::MAX).filter(|byte| ValueKind::from_byte(*byte).is_some());
        assert_eq!(known.count(), ValueKind::ALL.len());
    }

    #[test]
    fn numbers_are_one_value_whoever_wrote_them() {
        assert!(is_same_kind(Number.byte(), Float.byte()));
        assert!(!is_same_kind(Number.byte(), Bigint.byte()));
        assert!(is_same_kind(200, 200));
        let other_nan = f64::from_bits(f64::NAN.to_bits() | 1);
        assert_eq!(number_bytes(other_nan), number_bytes(f64::NAN));
        assert_eq!(canonical(Float.byte(), &other_nan.to_ne_bytes()), number_bytes(f64::NAN));
        assert_eq!(canonical(Bytes.byte(), &other_nan.to_ne_bytes()), other_nan.to_ne_bytes());
        assert_eq!(number_bytes(-0.0), (-0.0f64).to_ne_bytes());
    }

    #[test]
    fn texts_and_bigints_come_back() {
        let mut bytes = Vec::new();
        assert_eq!(encode_text(&[0x41, 0xff], &mut bytes), Latin1);
        assert_eq!(bytes, [0x41, 0xff]);
        bytes.clear();
        assert_eq!(encode_text(&[0x41, 0xd800], &mut bytes), Utf16);
        assert_eq!(utf16_units(&bytes), Some(vec![0x41, 0xd800]));
        assert_eq!(utf16_units(&bytes[1..]), None);
        assert_eq!(bigint_words(&bigint_bytes(true, [1, 2])), Some((true, vec![1, 2])));
        assert_eq!(bigint_words(&bigint_bytes(false, [])), Some((false, vec![])));
        assert_eq!(bigint_words(&[1; 7]), None);
    }
}
