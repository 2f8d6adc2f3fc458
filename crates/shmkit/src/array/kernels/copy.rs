//! Elements from view to view, also where the two overlap.

use super::super::element::Element;
use super::super::plan::{Order, Plan, Run};
use super::super::{View, simd};
use super::{check_alike, load, store};
use crate::bytes::SharedBytes;
use crate::{Error, Result};

impl View<'_> {
    /// Copies the elements of `source`, of the same type and shape, to the same indexes here.
    ///
    /// Where the two overlap at the same addresses, all of `source` is read before it is written over.
    ///
    /// # Errors
    /// `ERR_INVALID_ARG_VALUE` for another type, `ERR_OUT_OF_RANGE` for another shape, `ENOMEM` if overlapping
    /// views need a private copy and there is no memory for it. Nothing is stored then.
    pub fn copy_from(&self, source: &View<'_>) -> Result<()> {
        check_alike(self, source)?;
        match self.dtype().item_size() {
            1 => copy::<u8>(self, source),
            2 => copy::<u16>(self, source),
            4 => copy::<u32>(self, source),
            _ => copy::<u64>(self, source),
        }
    }
}

fn copy<T: Element>(target: &View<'_>, source: &View<'_>) -> Result<()> {
    pairwise(target, source, Copy::<T> { target: target.start().cast(), source: source.start().cast() })
}

/// Walks two views of one shape so that no element of `source` is written, as one of `target`, before it is read.
/// Where no order does that, what `again` makes of a private copy walks that instead.
///
/// # Errors
/// `ENOMEM`.
pub(super) fn pairwise<R: Pair>(target: &View<'_>, source: &View<'_>, run: R) -> Result<()> {
    if target.is_empty() {
        return Ok(());
    }
    let plan = |order| {
        let (at, steps) = ([target.at(), source.at()], [target.strides(), source.strides()]);
        Plan::new(target.shape(), at, steps, order)
    };
    let ((to, to_least, to_most), (from, from_least, from_most)) = (target.addresses(), source.addresses());
    let order = if to_most < from_least || from_most < to_least || (to == from && same_steps(target, source))
    {
        Order::Free
    } else if same_steps(target, source) && plan(Order::Rising).is_some_and(|plan| plan.is_nested()) {
        // All elements move by the same distance: whoever goes in its direction writes behind what it reads.
        if from > to { Order::Rising } else { Order::Falling }
    } else {
        let mut words = Vec::new();
        let len = (source.len() * source.dtype().item_size()).div_ceil(8);
        words.try_reserve_exact(len).map_err(|_| Error::os(12, "malloc"))?;
        words.resize(len, 0);
        let private =
            View::contiguous(SharedBytes::over(&mut words), source.dtype(), source.shape().to_vec(), 0)?;
        private.copy_from(source)?;
        return pairwise(target, &private, run.over(private.start()));
    };
    if let Some(plan) = plan(order) {
        // SAFETY: the plan visits elements of both views, which are mapped; `run` was made for their type.
        unsafe { simd::walk(&plan, run) };
    }
    Ok(())
}

/// A kernel over a target and a source.
pub(super) trait Pair: Run<2> {
    /// The same from another source, of the same type.
    fn over(self, source: *mut u8) -> Self;
}

/// Whether both have the same strides, where strides matter.
fn same_steps(a: &View<'_>, b: &View<'_>) -> bool {
    let mut axes = a.shape().iter().zip(a.strides().iter().zip(b.strides()));
    axes.all(|(len, (a, b))| *len == 1 || a == b)
}

struct Copy<T> {
    target: *mut T,
    source: *const T,
}

impl<T: Element> Pair for Copy<T> {
    fn over(self, source: *mut u8) -> Self {
        Copy { source: source.cast(), ..self }
    }
}

impl<T: Element> Run<2> for Copy<T> {
    #[inline(always)]
    unsafe fn run(&mut self, [to, from]: [isize; 2], len: usize, steps: [isize; 2]) {
        // SAFETY: all of the run are elements of the views. `copy` may overlap, and its ranges hold no others: where
        // the steps are -1, the elements from the last one up.
        unsafe {
            let (to, from) = (self.target.offset(to), self.source.offset(from));
            match steps {
                [1, 1] => from.copy_to(to, len),
                [-1, -1] => from.sub(len - 1).copy_to(to.sub(len - 1), len),
                [1, step] => (0..len).for_each(|i| store(to, i, 1, load(from, i, step))),
                [step, 1] => (0..len).for_each(|i| store(to, i, step, load(from, i, 1))),
                [a, b] => (0..len).for_each(|i| store(to, i, a, load(from, i, b))),
            }
        }
    }
}
