//! Sum and mean.
//!
//! Integers are added exactly, in blocks whose narrow sums cannot overflow. Floats are added pairwise, as numpy adds
//! them: halves of halves down to 128 elements, those in eight sums. Of contiguous float64 the result is numpy's to
//! the last bit; float32 and float16 are added as float64, where numpy stays with their own precision.

use super::super::element::{Bool, Element, Half, by_dtype};
use super::super::half;
use super::super::plan::{Order, Plan, Run};
use super::super::{Scalar, View, simd};
use super::{BLOCK, load};

impl View<'_> {
    /// All elements added up: exact for integers, the number of true ones for booleans. 0 for no elements.
    pub fn sum(&self) -> Scalar {
        by_dtype!(self.dtype(), T => T::scalar(sum::<T>(self)))
    }

    /// The sum by the number of elements. NaN for no elements.
    pub fn mean(&self) -> f64 {
        let sum = match self.sum() {
            Scalar::Int(sum) => sum as f64,
            Scalar::Float(sum) => sum,
            Scalar::Bool(_) => f64::NAN,
        };
        sum / self.len() as f64
    }
}

fn sum<T: Summed>(view: &View<'_>) -> T::Total {
    let sum = Sum::<T> { start: view.start().cast(), total: T::Total::default() };
    match Plan::new(view.shape(), [view.at()], [view.strides()], Order::Free) {
        // SAFETY: the plan visits the view's elements, which are mapped and of this type.
        Some(plan) => unsafe { simd::walk(&plan, sum).total },
        None => sum.total,
    }
}

struct Sum<T: Summed> {
    start: *const T,
    total: T::Total,
}

impl<T: Summed> Run<1> for Sum<T> {
    #[inline(always)]
    unsafe fn run(&mut self, [at]: [isize; 1], len: usize, [step]: [isize; 1]) {
        // SAFETY: all of the run are elements of the view.
        let sum = unsafe {
            let at = self.start.offset(at);
            if step == 1 { T::sum_of(at, len, 1) } else { T::sum_of(at, len, step) }
        };
        self.total = T::plus(self.total, sum);
    }
}

/// How elements are added.
trait Summed: Element {
    /// `i128` or `f64`.
    type Total: Copy + Default;

    /// The sum of one run.
    ///
    /// # Safety
    /// All of the run is mapped.
    unsafe fn sum_of(at: *const Self, len: usize, step: isize) -> Self::Total;

    fn plus(a: Self::Total, b: Self::Total) -> Self::Total;

    fn scalar(total: Self::Total) -> Scalar;
}

macro_rules! add_integers {
    // `$partial` holds the sum of a `BLOCK`.
    ($($type:ty, $partial:ty, |$value:ident| $widen:expr;)*) => {$(
        impl Summed for $type {
            type Total = i128;

            #[inline(always)]
            unsafe fn sum_of(at: *const Self, len: usize, step: isize) -> i128 {
                let mut total = 0;
                for first in (0..len).step_by(BLOCK) {
                    let mut partial: $partial = 0;
                    for i in first..len.min(first + BLOCK) {
                        // SAFETY: `i < len`.
                        let $value = unsafe { load(at, i, step) };
                        partial += $widen;
                    }
                    total += i128::from(partial);
                }
                total
            }

            #[inline(always)]
            fn plus(a: i128, b: i128) -> i128 {
                a + b
            }

            fn scalar(total: i128) -> Scalar {
                Scalar::Int(total)
            }
        }
    )*};
}

add_integers! {
    i8, i32, |value| i32::from(value);
    u8, u32, |value| u32::from(value);
    i16, i32, |value| i32::from(value);
    u16, u32, |value| u32::from(value);
    i32, i64, |value| i64::from(value);
    u32, u64, |value| u64::from(value);
    Bool, u32, |value| u32::from(value.get());
}

/// The exact sum of a block of 64-bit integers: their halves are added apart, which vector instructions can do.
#[derive(Clone, Copy, Default)]
pub(super) struct Wide {
    low: u64,
    high: u64,
}

impl Wide {
    /// Adds `value`; up to 2^32 of them.
    #[inline(always)]
    pub(super) fn add(&mut self, value: u64) {
        self.low += value & 0xffff_ffff;
        self.high += value >> 32;
    }

    #[inline(always)]
    pub(super) fn total(self) -> i128 {
        (i128::from(self.high) << 32) + i128::from(self.low)
    }
}

/// A signed integer plus 2^63.
#[inline(always)]
pub(super) fn biased(value: i64) -> u64 {
    value.cast_unsigned() ^ (1 << 63)
}

/// What `len` biased integers have too much.
#[inline(always)]
pub(super) fn bias(len: usize) -> i128 {
    (len as i128) << 63
}

macro_rules! add_wide_integers {
    ($($type:ty, |$value:ident| $unsigned:expr, |$len:ident| $bias:expr;)*) => {$(
        impl Summed for $type {
            type Total = i128;

            #[inline(always)]
            unsafe fn sum_of(at: *const Self, $len: usize, step: isize) -> i128 {
                let mut total = 0;
                if step != 1 {
                    // No vector instructions to be had.
                    for i in 0..$len {
                        // SAFETY: `i < len`.
                        total += i128::from(unsafe { load(at, i, step) });
                    }
                    return total;
                }
                for first in (0..$len).step_by(BLOCK) {
                    let mut partial = Wide::default();
                    for i in first..$len.min(first + BLOCK) {
                        // SAFETY: `i < len`.
                        let $value = unsafe { load(at, i, step) };
                        partial.add($unsigned);
                    }
                    total += partial.total();
                }
                total - $bias
            }

            #[inline(always)]
            fn plus(a: i128, b: i128) -> i128 {
                a + b
            }

            fn scalar(total: i128) -> Scalar {
                Scalar::Int(total)
            }
        }
    )*};
}

add_wide_integers! {
    i64, |value| biased(value), |len| bias(len);
    u64, |value| value, |len| 0;
}

macro_rules! add_floats {
    ($($type:ty)*) => {$(
        impl Summed for $type {
            type Total = f64;

            #[inline(always)]
            unsafe fn sum_of(at: *const Self, len: usize, step: isize) -> f64 {
                // SAFETY: asked for the elements below `len` only.
                pairwise(len, |i| unsafe { f64::from(load(at, i, step)) })
            }

            #[inline(always)]
            fn plus(a: f64, b: f64) -> f64 {
                a + b
            }

            fn scalar(total: f64) -> Scalar {
                Scalar::Float(total)
            }
        }
    )*};
}

add_floats! { f64 f32 }

/// A float64 holds a sum of halves exactly up to 2^29, so it matters little in which order they are added.
impl Summed for Half {
    type Total = f64;

    #[inline(always)]
    unsafe fn sum_of(at: *const Self, len: usize, step: isize) -> f64 {
        let mut total = 0.0;
        for first in (0..len).step_by(half::MANY) {
            let len = half::MANY.min(len - first);
            // SAFETY: `first + i < len`.
            let floats = half::many(len, |i| unsafe { load(at, first + i, step) }.0);
            total += pairwise(len, |i| f64::from(floats[i]));
        }
        total
    }

    #[inline(always)]
    fn plus(a: f64, b: f64) -> f64 {
        a + b
    }

    fn scalar(total: f64) -> Scalar {
        Scalar::Float(total)
    }
}

/// The sum of `get(0..len)` in numpy's order. Its recursion is a stack here, so that all of it can be inlined.
#[inline(always)]
fn pairwise(len: usize, get: impl Fn(usize) -> f64) -> f64 {
    // Left halves that are added already, each with the length of the right one that is missing. Each is at most
    // half as long as the one below.
    let mut waiting = [(0.0, 0); usize::BITS as usize];
    let mut depth = 0;
    let (mut first, mut len) = (0, len);
    loop {
        while len > 128 {
            let left = len / 2 / 8 * 8;
            waiting[depth] = (f64::NAN, len - left);
            depth += 1;
            len = left;
        }
        let mut sum = eight_sums(first, len, &get);
        first += len;
        loop {
            if depth == 0 {
                return sum;
            }
            let (left, right) = waiting[depth - 1];
            if right > 0 {
                waiting[depth - 1] = (sum, 0);
                len = right;
                break;
            }
            sum += left;
            depth -= 1;
        }
    }
}

#[inline(always)]
fn eight_sums(first: usize, len: usize, get: &impl Fn(usize) -> f64) -> f64 {
    let end = first + len;
    let body = first + len / 8 * 8;
    let mut sum = 0.0;
    if len >= 8 {
        let mut sums: [f64; 8] = std::array::from_fn(|k| get(first + k));
        for i in (first + 8..body).step_by(8) {
            for (k, sum) in sums.iter_mut().enumerate() {
                *sum += get(i + k);
            }
        }
        let [a, b, c, d, e, f, g, h] = sums;
        sum = ((a + b) + (c + d)) + ((e + f) + (g + h));
    }
    for i in body..end {
        sum += get(i);
    }
    sum
}
