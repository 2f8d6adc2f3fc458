//! Arithmetic in place.

use std::marker::PhantomData;

use super::super::element::{Bool, Element, Half, by_dtype};
use super::super::half;
use super::super::plan::{Order, Plan, Run};
use super::super::{Scalar, View, simd};
use super::copy::{Pair, pairwise};
use super::{check_alike, load, store};
use crate::Result;

impl View<'_> {
    /// Multiplies every element by `factor`, which becomes an element first. Integers wrap around; booleans are
    /// anded.
    ///
    /// # Errors
    /// As [`View::fill`].
    pub fn scale(&self, factor: Scalar) -> Result<()> {
        by_dtype!(self.dtype(), T => update::<T, Multiply>(self, T::from_scalar(factor)?));
        Ok(())
    }

    /// Adds `value`, which becomes an element first, to every element. Integers wrap around; booleans are ored.
    ///
    /// # Errors
    /// As [`View::fill`].
    pub fn add_scalar(&self, value: Scalar) -> Result<()> {
        by_dtype!(self.dtype(), T => update::<T, Add>(self, T::from_scalar(value)?));
        Ok(())
    }

    /// Adds the elements of `source`, of the same type and shape, to those at the same indexes here, as
    /// [`View::add_scalar`] adds. Overlapping views are as in [`View::copy_from`].
    ///
    /// # Errors
    /// As [`View::copy_from`].
    pub fn add(&self, source: &View<'_>) -> Result<()> {
        check_alike(self, source)?;
        by_dtype!(self.dtype(), T => {
            let (target, from) = (self.start().cast::<T>(), source.start().cast::<T>());
            pairwise(self, source, ByElement::<T, Add> { target, source: from, operation: PhantomData })
        })
    }
}

fn update<T: Number, O: Operation>(view: &View<'_>, value: T) {
    let Some(plan) = Plan::new(view.shape(), [view.at()], [view.strides()], Order::Free) else { return };
    let run = ByScalar::<T, O> { start: view.start().cast(), value, operation: PhantomData };
    // SAFETY: the plan visits the view's elements, which are mapped and of this type.
    unsafe { simd::walk(&plan, run) };
}

/// What elements can do with each other.
trait Number: Element {
    /// Whether arithmetic takes so long that it should be done in vectors wherever elements are.
    const SLOW: bool = false;

    fn plus(self, other: Self) -> Self;
    fn times(self, other: Self) -> Self;
}

/// One of the two.
trait Operation {
    fn apply<T: Number>(a: T, b: T) -> T;
}

struct Add;
struct Multiply;

impl Operation for Add {
    #[inline(always)]
    fn apply<T: Number>(a: T, b: T) -> T {
        a.plus(b)
    }
}

impl Operation for Multiply {
    #[inline(always)]
    fn apply<T: Number>(a: T, b: T) -> T {
        a.times(b)
    }
}

macro_rules! numbers {
    ($($type:ty, |$a:ident, $b:ident| $plus:expr, $times:expr;)*) => {$(
        impl Number for $type {
            #[inline(always)]
            fn plus(self, $b: Self) -> Self {
                let $a = self;
                $plus
            }

            #[inline(always)]
            fn times(self, $b: Self) -> Self {
                let $a = self;
                $times
            }
        }
    )*};
}

numbers! {
    i8, |a, b| a.wrapping_add(b), a.wrapping_mul(b);
    u8, |a, b| a.wrapping_add(b), a.wrapping_mul(b);
    i16, |a, b| a.wrapping_add(b), a.wrapping_mul(b);
    u16, |a, b| a.wrapping_add(b), a.wrapping_mul(b);
    i32, |a, b| a.wrapping_add(b), a.wrapping_mul(b);
    u32, |a, b| a.wrapping_add(b), a.wrapping_mul(b);
    i64, |a, b| a.wrapping_add(b), a.wrapping_mul(b);
    u64, |a, b| a.wrapping_add(b), a.wrapping_mul(b);
    f32, |a, b| a + b, a * b;
    f64, |a, b| a + b, a * b;
    Bool, |a, b| Bool(a.get() | b.get()), Bool(a.get() & b.get());
}

/// A float has so many more bits that rounding twice is as rounding once.
impl Number for Half {
    const SLOW: bool = true;

    #[inline(always)]
    fn plus(self, other: Self) -> Self {
        Half(half::from_f32(half::to_f32(self.0) + half::to_f32(other.0)))
    }

    #[inline(always)]
    fn times(self, other: Self) -> Self {
        Half(half::from_f32(half::to_f32(self.0) * half::to_f32(other.0)))
    }
}

/// Slow elements that are not neighbours are gathered first, so many at once.
const FEW: usize = 64;

struct ByScalar<T, O> {
    start: *mut T,
    value: T,
    operation: PhantomData<O>,
}

impl<T: Number, O: Operation> Run<1> for ByScalar<T, O> {
    #[inline(always)]
    unsafe fn run(&mut self, [at]: [isize; 1], len: usize, [step]: [isize; 1]) {
        // SAFETY: all of the run are elements of the view.
        unsafe {
            let at = self.start.offset(at);
            let value = self.value;
            let one = |i, step| store(at, i, step, O::apply(load(at, i, step), value));
            if step == 1 {
                (0..len).for_each(|i| one(i, 1));
                return;
            }
            if !T::SLOW {
                (0..len).for_each(|i| one(i, step));
                return;
            }
            for first in (0..len).step_by(FEW) {
                let len = FEW.min(len - first);
                let mut few = [value; FEW];
                (0..len).for_each(|i| few[i] = load(at, first + i, step));
                few = few.map(|element| O::apply(element, value));
                (0..len).for_each(|i| store(at, first + i, step, few[i]));
            }
        }
    }
}

struct ByElement<T, O> {
    target: *mut T,
    source: *const T,
    operation: PhantomData<O>,
}

impl<T: Number, O: Operation> Pair for ByElement<T, O> {
    fn over(self, source: *mut u8) -> Self {
        ByElement { source: source.cast(), ..self }
    }
}

impl<T: Number, O: Operation> Run<2> for ByElement<T, O> {
    #[inline(always)]
    unsafe fn run(&mut self, [to, from]: [isize; 2], len: usize, steps: [isize; 2]) {
        // SAFETY: all of the run are elements of the views.
        unsafe {
            let (to, from) = (self.target.offset(to), self.source.offset(from));
            let one = |i, [a, b]: [isize; 2]| store(to, i, a, O::apply(load(to, i, a), load(from, i, b)));
            if steps == [1, 1] {
                (0..len).for_each(|i| one(i, [1, 1]));
            } else {
                (0..len).for_each(|i| one(i, steps));
            }
        }
    }
}
