//! One value, on its way to or from an array of any type.

use std::fmt;

/// A value to store, or a result.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Scalar {
    /// Of an integer array, or the count that is the sum of a boolean one: exact.
    Int(i128),
    /// Of a float array.
    Float(f64),
    /// Of a boolean array.
    Bool(bool),
}

impl fmt::Display for Scalar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Scalar::Int(value) => value.fmt(f),
            Scalar::Float(value) => value.fmt(f),
            Scalar::Bool(value) => value.fmt(f),
        }
    }
}
