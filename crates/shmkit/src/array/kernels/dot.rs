//! The dot product of two one-dimensional views.

use super::super::element::{Bool, Element, Half, by_dtype};
use super::super::half;
use super::super::plan::{Plan, Run};
use super::super::{Scalar, View, simd};
use super::sum::{Wide, bias, biased};
use super::{BLOCK, check_alike, load};
use crate::{Error, Result};

impl View<'_> {
    /// The products of the elements of two views of one dimension, added up: exact for integers; floats as float64,
    /// in sixteen sums. Of booleans it says whether any two at one index are both true.
    ///
    /// # Errors
    /// `ERR_INVALID_ARG_VALUE` for another type, `ERR_OUT_OF_RANGE` for another length, for more or less than one
    /// dimension, and for 64-bit integers where the result takes more than 128 bits.
    pub fn dot(&self, other: &View<'_>) -> Result<Scalar> {
        check_alike(self, other)?;
        match self.shape() {
            [len] => by_dtype!(self.dtype(), T => dot::<T>(self, other, *len)),
            shape => {
                let message = format!("a dot product takes one dimension, and the shape is {shape:?}");
                Err(Error::range("ERR_OUT_OF_RANGE", message))
            }
        }
    }
}

fn dot<T: Dotted>(a: &View<'_>, b: &View<'_>, len: usize) -> Result<Scalar> {
    let dot = Dot::<T> { a: a.start().cast(), b: b.start().cast(), total: T::Total::default() };
    if len == 0 {
        return T::scalar(dot.total);
    }
    let plan = Plan::line(len, [a.at(), b.at()], [a.strides()[0], b.strides()[0]]);
    // SAFETY: the plan visits elements of both views, which are mapped and of this type.
    T::scalar(unsafe { simd::walk(&plan, dot).total })
}

struct Dot<T: Dotted> {
    a: *const T,
    b: *const T,
    total: T::Total,
}

impl<T: Dotted> Run<2> for Dot<T> {
    #[inline(always)]
    unsafe fn run(&mut self, [a, b]: [isize; 2], len: usize, steps: [isize; 2]) {
        // SAFETY: all of the run are elements of the views.
        self.total = unsafe {
            let (a, b) = (self.a.offset(a), self.b.offset(b));
            if steps == [1, 1] { T::dot_of(a, b, len, [1, 1]) } else { T::dot_of(a, b, len, steps) }
        };
    }
}

/// How elements are multiplied and added.
trait Dotted: Element {
    type Total: Copy + Default;

    /// The dot product of one run.
    ///
    /// # Safety
    /// All of the run is mapped.
    unsafe fn dot_of(a: *const Self, b: *const Self, len: usize, steps: [isize; 2]) -> Self::Total;

    /// # Errors
    /// `ERR_OUT_OF_RANGE` if it does not fit.
    fn scalar(total: Self::Total) -> Result<Scalar>;
}

macro_rules! dot_integers {
    // `$product` holds a product, and `$partial` the sum of a `BLOCK` of them.
    ($($type:ty, $product:ty, $partial:ty;)*) => {$(
        impl Dotted for $type {
            type Total = i128;

            #[inline(always)]
            unsafe fn dot_of(a: *const Self, b: *const Self, len: usize, steps: [isize; 2]) -> i128 {
                let mut total = 0;
                for first in (0..len).step_by(BLOCK) {
                    let mut partial: $partial = 0;
                    for i in first..len.min(first + BLOCK) {
                        // SAFETY: `i < len`.
                        let (a, b) = unsafe { (load(a, i, steps[0]), load(b, i, steps[1])) };
                        partial += <$partial>::from(<$product>::from(a) * <$product>::from(b));
                    }
                    total += i128::from(partial);
                }
                total
            }

            fn scalar(total: i128) -> Result<Scalar> {
                Ok(Scalar::Int(total))
            }
        }
    )*};
}

dot_integers! {
    i8, i32, i32;
    u8, u32, u32;
    i16, i32, i64;
    u16, u32, u64;
}

macro_rules! dot_wider_integers {
    ($($type:ty, $product:ty, |$value:ident| $unsigned:expr, |$len:ident| $bias:expr;)*) => {$(
        impl Dotted for $type {
            type Total = i128;

            #[inline(always)]
            unsafe fn dot_of(a: *const Self, b: *const Self, $len: usize, steps: [isize; 2]) -> i128 {
                let mut total = 0;
                for first in (0..$len).step_by(BLOCK) {
                    let mut partial = Wide::default();
                    for i in first..$len.min(first + BLOCK) {
                        // SAFETY: `i < len`.
                        let (a, b) = unsafe { (load(a, i, steps[0]), load(b, i, steps[1])) };
                        let $value = <$product>::from(a) * <$product>::from(b);
                        partial.add($unsigned);
                    }
                    total += partial.total();
                }
                total - $bias
            }

            fn scalar(total: i128) -> Result<Scalar> {
                Ok(Scalar::Int(total))
            }
        }
    )*};
}

dot_wider_integers! {
    i32, i64, |product| biased(product), |len| bias(len);
    u32, u64, |product| product, |len| 0;
}

/// Products of 128 bits, added in 192: without a sign in the low 128, with it above.
macro_rules! dot_widest_integers {
    ($($type:ty, $product:ty, |$value:ident| $sign:expr;)*) => {$(
        impl Dotted for $type {
            type Total = (u128, i64);

            #[inline(always)]
            unsafe fn dot_of(a: *const Self, b: *const Self, len: usize, steps: [isize; 2]) -> Self::Total {
                let (mut low, mut high) = (0u128, 0);
                for i in 0..len {
                    // SAFETY: `i < len`.
                    let (a, b) = unsafe { (load(a, i, steps[0]), load(b, i, steps[1])) };
                    let $value = <$product>::from(a) * <$product>::from(b);
                    let (sum, carry) = low.overflowing_add($value as u128);
                    low = sum;
                    high += $sign + i64::from(carry);
                }
                (low, high)
            }

            fn scalar((low, high): Self::Total) -> Result<Scalar> {
                let total = low.cast_signed();
                if high == i64::from(total < 0).wrapping_neg() {
                    Ok(Scalar::Int(total))
                } else {
                    Err(Error::range("ERR_OUT_OF_RANGE", "the dot product takes more than 128 bits"))
                }
            }
        }
    )*};
}

dot_widest_integers! {
    i64, i128, |product| (product >> 127) as i64;
    u64, u128, |_product| 0;
}

impl Dotted for Bool {
    type Total = bool;

    #[inline(always)]
    unsafe fn dot_of(a: *const Self, b: *const Self, len: usize, steps: [isize; 2]) -> bool {
        (0..len).step_by(BLOCK).any(|first| {
            let mut both = 0;
            for i in first..len.min(first + BLOCK) {
                // SAFETY: `i < len`.
                both |= unsafe { load(a, i, steps[0]).get() & load(b, i, steps[1]).get() };
            }
            both != 0
        })
    }

    fn scalar(total: bool) -> Result<Scalar> {
        Ok(Scalar::Bool(total))
    }
}

macro_rules! dot_floats {
    ($($type:ty)*) => {$(
        impl Dotted for $type {
            type Total = f64;

            #[inline(always)]
            unsafe fn dot_of(a: *const Self, b: *const Self, len: usize, steps: [isize; 2]) -> f64 {
                // SAFETY: asked for elements below `len` only.
                dot_product(len, |i| unsafe {
                    f64::from(load(a, i, steps[0])) * f64::from(load(b, i, steps[1]))
                })
            }

            fn scalar(total: f64) -> Result<Scalar> {
                Ok(Scalar::Float(total))
            }
        }
    )*};
}

dot_floats! { f64 f32 }

impl Dotted for Half {
    type Total = f64;

    #[inline(always)]
    unsafe fn dot_of(a: *const Self, b: *const Self, len: usize, steps: [isize; 2]) -> f64 {
        let mut total = 0.0;
        for first in (0..len).step_by(half::MANY) {
            let len = half::MANY.min(len - first);
            // SAFETY: `first + i < len`.
            let a = half::many(len, |i| unsafe { load(a, first + i, steps[0]) }.0);
            // SAFETY: as above.
            let b = half::many(len, |i| unsafe { load(b, first + i, steps[1]) }.0);
            // Exact as a float.
            total += dot_product(len, |i| f64::from(a[i] * b[i]));
        }
        total
    }

    fn scalar(total: f64) -> Result<Scalar> {
        Ok(Scalar::Float(total))
    }
}

/// The sum of `product(0..len)`, in sixteen sums.
#[inline(always)]
fn dot_product(len: usize, product: impl Fn(usize) -> f64) -> f64 {
    let mut sums = [0.0; 16];
    let body = len / 16 * 16;
    for first in (0..body).step_by(16) {
        for (k, sum) in sums.iter_mut().enumerate() {
            *sum += product(first + k);
        }
    }
    for i in body..len {
        sums[i - body] += product(i);
    }
    // Halves onto halves.
    for half in [8, 4, 2, 1] {
        for k in 0..half {
            sums[k] += sums[k + half];
        }
    }
    sums[0]
}
