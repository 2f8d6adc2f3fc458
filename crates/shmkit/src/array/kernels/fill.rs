//! One value everywhere.

use super::super::element::{Element, by_dtype};
use super::super::plan::{Order, Plan, Run};
use super::super::{Scalar, View, simd};
use super::store;
use crate::Result;

impl View<'_> {
    /// Stores `value` at every index, rounded to the nearest float, ties to even.
    ///
    /// # Errors
    /// `ERR_OUT_OF_RANGE` if the element type has no such integer, `ERR_SHM_VALUE` for a fraction in integers.
    /// Nothing is stored then.
    pub fn fill(&self, value: Scalar) -> Result<()> {
        by_dtype!(self.dtype(), T => fill(self, T::from_scalar(value)?));
        Ok(())
    }
}

fn fill<T: Element>(view: &View<'_>, value: T) {
    let Some(plan) = Plan::new(view.shape(), [view.at()], [view.strides()], Order::Free) else { return };
    // SAFETY: the plan visits the view's elements, which are mapped and of this type.
    unsafe { simd::walk(&plan, Fill { start: view.start().cast(), value }) };
}

struct Fill<T> {
    start: *mut T,
    value: T,
}

impl<T: Element> Run<1> for Fill<T> {
    #[inline(always)]
    unsafe fn run(&mut self, [at]: [isize; 1], len: usize, [step]: [isize; 1]) {
        // SAFETY: all of the run are elements of the view.
        unsafe {
            let at = self.start.offset(at);
            if step == 1 {
                (0..len).for_each(|i| store(at, i, 1, self.value));
            } else {
                (0..len).for_each(|i| store(at, i, step, self.value));
            }
        }
    }
}
