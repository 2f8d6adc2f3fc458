//! The least and the greatest element, and where they are.
//!
//! NaN is beyond all numbers, as in numpy: where there is one, it is the result, and the first one's index. 0 and -0
//! are equal, and of equal elements the first in C order counts.

use super::super::element::{Bool, Element, Half, by_dtype};
use super::super::half;
use super::super::location::strides_of;
use super::super::plan::{Order, Plan, Run};
use super::super::{Scalar, View, simd};
use super::{BLOCK, load, refuse_empty};
use crate::Result;

impl View<'_> {
    /// The least element, or NaN where there is one.
    ///
    /// # Errors
    /// `ERR_OUT_OF_RANGE` if there are no elements.
    pub fn min(&self) -> Result<Scalar> {
        by_dtype!(self.dtype(), T => best::<T, false>(self, "minimum"))
    }

    /// The greatest element, or NaN where there is one.
    ///
    /// # Errors
    /// `ERR_OUT_OF_RANGE` if there are no elements.
    pub fn max(&self) -> Result<Scalar> {
        by_dtype!(self.dtype(), T => best::<T, true>(self, "maximum"))
    }

    /// Where the first least element, or the first NaN, is: its index in C order.
    ///
    /// # Errors
    /// `ERR_OUT_OF_RANGE` if there are no elements.
    pub fn argmin(&self) -> Result<usize> {
        by_dtype!(self.dtype(), T => arg_best::<T, false>(self, "minimum"))
    }

    /// Where the first greatest element, or the first NaN, is: its index in C order.
    ///
    /// # Errors
    /// `ERR_OUT_OF_RANGE` if there are no elements.
    pub fn argmax(&self) -> Result<usize> {
        by_dtype!(self.dtype(), T => arg_best::<T, true>(self, "maximum"))
    }
}

fn best<T: Ordered, const MAX: bool>(view: &View<'_>, what: &str) -> Result<Scalar> {
    let plan = Plan::new(view.shape(), [view.at()], [view.strides()], Order::Free);
    let Some(plan) = plan else { return refuse_empty(what) };
    let best = Best::<T, MAX> { start: view.start().cast(), best: None };
    // SAFETY: the plan visits the view's elements, which are mapped and of this type.
    match unsafe { simd::walk(&plan, best).best } {
        Some(key) => Ok(T::scalar(key)),
        None => refuse_empty(what),
    }
}

fn arg_best<T: Ordered, const MAX: bool>(view: &View<'_>, what: &str) -> Result<usize> {
    let indexes = strides_of(view.shape(), false);
    let steps = [view.strides(), indexes.as_slice()];
    let plan = Plan::new(view.shape(), [view.at(), 0], steps, Order::Indexed);
    let Some(plan) = plan else { return refuse_empty(what) };
    let best = ArgBest::<T, MAX> { start: view.start().cast(), found: None };
    // SAFETY: the plan visits the view's elements, which are mapped and of this type.
    match unsafe { simd::walk(&plan, best) } {
        // SAFETY: `found` is a run of the view's elements.
        ArgBest { found: Some(mut found), .. } => Ok(unsafe { found.index::<MAX>() }),
        ArgBest { found: None, .. } => refuse_empty(what),
    }
}

/// How elements are compared.
trait Ordered: Element {
    /// What stands for an element in comparisons: `beats` orders it as the element.
    type Key: Copy;

    /// The key when looking for the greatest (`MAX`) or the least.
    fn key<const MAX: bool>(self) -> Self::Key;

    /// Whether `a` is to be preferred to `b`.
    fn beats<const MAX: bool>(a: Self::Key, b: Self::Key) -> bool;

    /// The best key of a run of at least one element.
    ///
    /// # Safety
    /// All of the run is mapped.
    unsafe fn best_of<const MAX: bool>(at: *const Self, len: usize, step: isize) -> Self::Key;

    fn scalar(key: Self::Key) -> Scalar;
}

struct Best<T: Ordered, const MAX: bool> {
    start: *const T,
    best: Option<T::Key>,
}

impl<T: Ordered, const MAX: bool> Run<1> for Best<T, MAX> {
    #[inline(always)]
    unsafe fn run(&mut self, [at]: [isize; 1], len: usize, [step]: [isize; 1]) {
        // SAFETY: all of the run are elements of the view.
        let key = unsafe { best_of::<T, MAX>(self.start.offset(at), len, step) };
        if self.best.is_none_or(|best| T::beats::<MAX>(key, best)) {
            self.best = Some(key);
        }
    }
}

/// `T::best_of`, with a loop of its own for neighbours.
///
/// # Safety
/// As there.
#[inline(always)]
unsafe fn best_of<T: Ordered, const MAX: bool>(at: *const T, len: usize, step: isize) -> T::Key {
    // SAFETY: the caller's promise.
    unsafe { if step == 1 { T::best_of::<MAX>(at, len, 1) } else { T::best_of::<MAX>(at, len, step) } }
}

/// Looks for the best block first: only in the last one found does it matter which element it was.
struct ArgBest<T: Ordered, const MAX: bool> {
    start: *const T,
    found: Option<Found<T>>,
}

/// A block with the best key so far.
struct Found<T: Ordered> {
    key: T::Key,
    at: *const T,
    len: usize,
    step: isize,
    /// The index of its first element, and how much further the next one's is.
    first: usize,
    index_step: usize,
    /// The index of the best element, once looked for.
    index: Option<usize>,
}

impl<T: Ordered> Found<T> {
    /// The index of its first best element. The elements are read again, and may be others by now: then it is the
    /// first one of those. Not inlined, as it seldom runs.
    ///
    /// # Safety
    /// The block is mapped.
    #[inline(never)]
    unsafe fn index<const MAX: bool>(&mut self) -> usize {
        if let Some(index) = self.index {
            return index;
        }
        // SAFETY: as many elements as the block has.
        let key = |i| unsafe { load(self.at, i, self.step) }.key::<MAX>();
        let (mut best, mut best_key) = (0, key(0));
        for i in 1..self.len {
            let key = key(i);
            if T::beats::<MAX>(key, best_key) {
                (best, best_key) = (i, key);
            }
        }
        *self.index.insert(self.first + best * self.index_step)
    }
}

impl<T: Ordered, const MAX: bool> Run<2> for ArgBest<T, MAX> {
    #[inline(always)]
    unsafe fn run(&mut self, [at, first]: [isize; 2], len: usize, [step, index_step]: [isize; 2]) {
        // SAFETY: all of the run are elements of the view, and so are all blocks of it.
        unsafe {
            for start in (0..len).step_by(BLOCK) {
                let (at, len) = (self.start.offset(at + start.cast_signed() * step), BLOCK.min(len - start));
                let index_step = index_step.cast_unsigned();
                let first = first.cast_unsigned() + start * index_step;
                let key = best_of::<T, MAX>(at, len, step);
                let mut new = Found { key, at, len, step, first, index_step, index: None };
                match &mut self.found {
                    Some(found) if T::beats::<MAX>(found.key, new.key) => {}
                    Some(found) if !T::beats::<MAX>(new.key, found.key) => {
                        // As good: which one is first?
                        let last = found.index.unwrap_or(found.first + (found.len - 1) * found.index_step);
                        if new.first < last && new.index::<MAX>() < found.index::<MAX>() {
                            self.found = Some(new);
                        }
                    }
                    _ => self.found = Some(new),
                }
            }
        }
    }
}

macro_rules! order_integers {
    ($($type:ty, $key:ty, |$value:ident| $to_key:expr, |$result:ident| $scalar:expr;)*) => {$(
        impl Ordered for $type {
            type Key = $key;

            #[inline(always)]
            fn key<const MAX: bool>(self) -> $key {
                let $value = self;
                $to_key
            }

            #[inline(always)]
            fn beats<const MAX: bool>(a: $key, b: $key) -> bool {
                if MAX { a > b } else { a < b }
            }

            #[inline(always)]
            unsafe fn best_of<const MAX: bool>(at: *const Self, len: usize, step: isize) -> $key {
                // SAFETY: `i < len`, and there is a first element.
                let key = |i| unsafe { load(at, i, step) }.key::<MAX>();
                let mut best = key(0);
                for i in 1..len {
                    best = if MAX { best.max(key(i)) } else { best.min(key(i)) };
                }
                best
            }

            fn scalar($result: $key) -> Scalar {
                $scalar
            }
        }
    )*};
}

order_integers! {
    i8, i8, |value| value, |key| Scalar::Int(key.into());
    u8, u8, |value| value, |key| Scalar::Int(key.into());
    i16, i16, |value| value, |key| Scalar::Int(key.into());
    u16, u16, |value| value, |key| Scalar::Int(key.into());
    i32, i32, |value| value, |key| Scalar::Int(key.into());
    u32, u32, |value| value, |key| Scalar::Int(key.into());
    i64, i64, |value| value, |key| Scalar::Int(key.into());
    u64, u64, |value| value, |key| Scalar::Int(key.into());
    Bool, u8, |value| value.get(), |key| Scalar::Bool(key != 0);
    Half, i16, |value| half_key::<MAX>(value.0), |key| Scalar::Float(half_value(key));
}

/// Halves as integers of the same order: the magnitude with the sign before it, so both zeros are 0, and all NaN
/// are the integer beyond the others.
#[inline(always)]
fn half_key<const MAX: bool>(bits: u16) -> i16 {
    let magnitude = (bits & 0x7fff).cast_signed();
    let nan = if MAX { i16::MAX } else { i16::MIN };
    let number = if bits.cast_signed() < 0 { -magnitude } else { magnitude };
    if magnitude > 0x7c00 { nan } else { number }
}

fn half_value(key: i16) -> f64 {
    let value = if key == i16::MIN { f32::NAN } else { half::to_f32(key.unsigned_abs()) };
    f64::from(if key < 0 { -value } else { value })
}

macro_rules! order_floats {
    // `$lanes` elements, each compared with the best of its own lane, fill four vector registers.
    ($($type:ty, $lanes:literal;)*) => {$(
        impl Ordered for $type {
            type Key = $type;

            #[inline(always)]
            fn key<const MAX: bool>(self) -> $type {
                self
            }

            #[inline(always)]
            fn beats<const MAX: bool>(a: $type, b: $type) -> bool {
                !b.is_nan() && (a.is_nan() || if MAX { a > b } else { a < b })
            }

            #[inline(always)]
            unsafe fn best_of<const MAX: bool>(at: *const Self, len: usize, step: isize) -> $type {
                // SAFETY: `i < len`, and there is a first element.
                let get = |i| unsafe { load(at, i, step) };
                // One instruction, and `a` loses where it is NaN. The sums tell of those: they are NaN then, and seldom
                // else.
                let better = |a: $type, b: $type| if (MAX && a > b) || (!MAX && a < b) { a } else { b };
                let mut lanes = [get(0); $lanes];
                let mut sums = [0.0; $lanes];
                let body = len / $lanes * $lanes;
                for first in (0..body).step_by($lanes) {
                    for k in 0..$lanes {
                        let value = get(first + k);
                        lanes[k] = better(value, lanes[k]);
                        sums[k] += value;
                    }
                }
                for i in body..len {
                    let value = get(i);
                    lanes[0] = better(value, lanes[0]);
                    sums[0] += value;
                }
                if sums.into_iter().any(<$type>::is_nan) && (0..len).any(|i| get(i).is_nan()) {
                    return <$type>::NAN;
                }
                lanes.into_iter().reduce(better).unwrap_or(lanes[0])
            }

            fn scalar(key: $type) -> Scalar {
                Scalar::Float(key.into())
            }
        }
    )*};
}

order_floats! {
    f64, 16;
    f32, 32;
}
