//! The Rust types of elements. Each is plain bits of which every pattern is a value, so what a racing writer leaves
//! is a wrong value at worst.

use super::dtype::DType;
use super::half;
use super::scalar::Scalar;
use crate::error::Class;
use crate::{Error, Result};

/// A type of elements.
///
/// # Safety
/// Every bit pattern is a value, and its size and alignment are `DTYPE.item_size()`.
pub(super) unsafe trait Element: Copy + 'static {
    const DTYPE: DType;

    /// The element that holds `value`.
    ///
    /// # Errors
    /// `ERR_OUT_OF_RANGE` if the type has no such integer, `ERR_SHM_VALUE` for a fraction in integers.
    fn from_scalar(value: Scalar) -> Result<Self>;
}

/// Half precision.
#[derive(Clone, Copy)]
#[repr(transparent)]
pub(super) struct Half(pub u16);

/// A byte that is true unless 0.
#[derive(Clone, Copy)]
#[repr(transparent)]
pub(super) struct Bool(pub u8);

impl Bool {
    /// 0 or 1.
    #[inline(always)]
    pub(super) fn get(self) -> u8 {
        u8::from(self.0 != 0)
    }
}

macro_rules! integers {
    ($($type:ty => $dtype:ident,)*) => {$(
        // SAFETY: integers have no padding and no invalid patterns.
        unsafe impl Element for $type {
            const DTYPE: DType = DType::$dtype;

            fn from_scalar(value: Scalar) -> Result<Self> {
                Self::try_from(integer(value, Self::DTYPE)?).map_err(|_| {
                    let (dtype, least, most) = (Self::DTYPE, Self::MIN, Self::MAX);
                    Error::range("ERR_OUT_OF_RANGE", format!("{value} is no {dtype}: those are {least} to {most}"))
                })
            }
        }
    )*};
}

integers! {
    i8 => Int8, u8 => Uint8, i16 => Int16, u16 => Uint16,
    i32 => Int32, u32 => Uint32, i64 => Int64, u64 => Uint64,
}

// SAFETY: floats have no padding and no invalid patterns.
unsafe impl Element for f64 {
    const DTYPE: DType = DType::Float64;

    fn from_scalar(value: Scalar) -> Result<Self> {
        Ok(float(value))
    }
}

// SAFETY: floats have no padding and no invalid patterns.
unsafe impl Element for f32 {
    const DTYPE: DType = DType::Float32;

    fn from_scalar(value: Scalar) -> Result<Self> {
        Ok(match value {
            // At once: by way of f64 it would be rounded twice.
            Scalar::Int(value) => value as f32,
            _ => float(value) as f32,
        })
    }
}

// SAFETY: 16 plain bits, aligned as such.
unsafe impl Element for Half {
    const DTYPE: DType = DType::Float16;

    fn from_scalar(value: Scalar) -> Result<Self> {
        Ok(Half(half::from_f64(float(value))))
    }
}

// SAFETY: one plain byte.
unsafe impl Element for Bool {
    const DTYPE: DType = DType::Bool;

    fn from_scalar(value: Scalar) -> Result<Self> {
        Ok(Bool(u8::from(match value {
            Scalar::Int(value) => value != 0,
            Scalar::Float(value) => value != 0.0,
            Scalar::Bool(value) => value,
        })))
    }
}

fn float(value: Scalar) -> f64 {
    match value {
        Scalar::Int(value) => value as f64,
        Scalar::Float(value) => value,
        Scalar::Bool(value) => f64::from(u8::from(value)),
    }
}

/// `value` as an integer. What no `i128` holds becomes the outermost one, which is in no type's range.
fn integer(value: Scalar, dtype: DType) -> Result<i128> {
    match value {
        Scalar::Int(value) => Ok(value),
        Scalar::Float(value) if value.fract() == 0.0 => Ok(value as i128),
        Scalar::Float(_) => {
            let message = format!("{value} is no integer, and the elements are {dtype}");
            Err(Error { class: Class::Type, ..Error::own("ERR_SHM_VALUE", message) })
        }
        Scalar::Bool(value) => Ok(i128::from(value)),
    }
}

/// `body`, with `$type` as the Rust type of a [`DType`].
macro_rules! by_dtype {
    ($dtype:expr, $type:ident => $body:expr) => {
        by_dtype!(@ $dtype, $type, $body,
            Int8 i8, Uint8 u8, Int16 i16, Uint16 u16, Int32 i32, Uint32 u32, Int64 i64, Uint64 u64,
            Float16 $crate::array::element::Half, Float32 f32, Float64 f64, Bool $crate::array::element::Bool)
    };
    (@ $dtype:expr, $type:ident, $body:expr, $($name:ident $rust:ty),*) => {
        match $dtype {
            $($crate::array::DType::$name => {
                type $type = $rust;
                $body
            })*
        }
    };
}

pub(super) use by_dtype;
