//! The types of elements, under numpy's names.

use std::fmt;

use crate::{Error, Result};

/// A type of elements; numbers are little-endian.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DType {
    /// 8 bits, signed.
    Int8,
    /// 8 bits.
    Uint8,
    /// 16 bits, signed.
    Int16,
    /// 16 bits.
    Uint16,
    /// 32 bits, signed.
    Int32,
    /// 32 bits.
    Uint32,
    /// 64 bits, signed.
    Int64,
    /// 64 bits.
    Uint64,
    /// IEEE 754 half precision.
    Float16,
    /// IEEE 754 single precision.
    Float32,
    /// IEEE 754 double precision.
    Float64,
    /// One byte: 0 is false, all else is true.
    Bool,
}

impl DType {
    /// All of them.
    pub const ALL: [DType; 12] = [
        DType::Int8,
        DType::Uint8,
        DType::Int16,
        DType::Uint16,
        DType::Int32,
        DType::Uint32,
        DType::Int64,
        DType::Uint64,
        DType::Float16,
        DType::Float32,
        DType::Float64,
        DType::Bool,
    ];

    /// numpy's name: `float64`.
    pub fn name(self) -> &'static str {
        self.row().0
    }

    /// What numpy writes into `.npy` headers and `__array_interface__`: `<f8`.
    pub fn typestr(self) -> &'static str {
        self.row().1
    }

    /// Bytes of one element: 1, 2, 4 or 8.
    pub fn item_size(self) -> usize {
        self.row().2
    }

    /// The type of this name, or of numpy's strings for it: `<f8`, `=f8`, `f8`.
    ///
    /// # Errors
    /// `ERR_OUT_OF_RANGE` for any other text.
    pub fn parse(text: &str) -> Result<Self> {
        let short = if text == "?" { "b1" } else { text.trim_start_matches(['<', '=', '|', '>']) };
        let is_one = |dtype: &DType| {
            let swapped = text.starts_with('>') && dtype.item_size() > 1;
            dtype.name() == text
                || dtype.typestr()[1..] == *short && text.len() <= short.len() + 1 && !swapped
        };
        Self::ALL.into_iter().find(is_one).ok_or_else(|| {
            let message = format!("dtype must be {}, and is {text:?}", Self::expected(text));
            Error::range("ERR_OUT_OF_RANGE", message)
        })
    }

    /// What a text must be that is no type.
    pub(super) fn expected(text: &str) -> String {
        match text.strip_prefix('>').and_then(|short| Self::parse(short).ok()).map(Self::typestr) {
            Some(ours) => format!("in this machine's byte order, '{ours}' (in numpy: a.astype('{ours}'))"),
            None => {
                format!("one of {}, or numpy's string for one of these", Self::ALL.map(Self::name).join(", "))
            }
        }
    }

    fn row(self) -> (&'static str, &'static str, usize) {
        match self {
            DType::Int8 => ("int8", "|i1", 1),
            DType::Uint8 => ("uint8", "|u1", 1),
            DType::Int16 => ("int16", "<i2", 2),
            DType::Uint16 => ("uint16", "<u2", 2),
            DType::Int32 => ("int32", "<i4", 4),
            DType::Uint32 => ("uint32", "<u4", 4),
            DType::Int64 => ("int64", "<i8", 8),
            DType::Uint64 => ("uint64", "<u8", 8),
            DType::Float16 => ("float16", "<f2", 2),
            DType::Float32 => ("float32", "<f4", 4),
            DType::Float64 => ("float64", "<f8", 8),
            DType::Bool => ("bool", "|b1", 1),
        }
    }
}

impl fmt::Display for DType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
