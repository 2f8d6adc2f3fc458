//! What is done with elements: a file for each kind.

mod copy;
mod dot;
mod fill;
mod order;
mod sum;
mod update;

use super::view::View;
use crate::error::Class;
use crate::{Error, Result};

/// Elements that kernels take at once where that keeps them in the cache, or a narrow accumulator from overflowing.
const BLOCK: usize = 1 << 13;

/// The element at `at + i * step`.
///
/// # Safety
/// It is mapped and aligned.
#[inline(always)]
unsafe fn load<T: Copy>(at: *const T, i: usize, step: isize) -> T {
    // SAFETY: the caller's promise. `T` has no invalid patterns, so a torn value is one too.
    unsafe { at.offset(i.cast_signed() * step).read() }
}

/// Stores the element at `at + i * step`.
///
/// # Safety
/// It is mapped and aligned.
#[inline(always)]
unsafe fn store<T: Copy>(at: *mut T, i: usize, step: isize, value: T) {
    // SAFETY: the caller's promise.
    unsafe { at.offset(i.cast_signed() * step).write(value) };
}

/// Refuses views of different types or shapes.
fn check_alike(target: &View<'_>, source: &View<'_>) -> Result<()> {
    if target.dtype() != source.dtype() {
        let message =
            format!("the elements are {}, and the other array's {}", target.dtype(), source.dtype());
        return Err(Error { class: Class::Type, ..Error::own("ERR_INVALID_ARG_VALUE", message) });
    }
    if target.shape() != source.shape() {
        let message =
            format!("the shape is {:?}, and the other array's {:?}", target.shape(), source.shape());
        return Err(Error::range("ERR_OUT_OF_RANGE", message));
    }
    Ok(())
}

fn refuse_empty<T>(what: &str) -> Result<T> {
    Err(Error::range("ERR_OUT_OF_RANGE", format!("an array without elements has no {what}")))
}
