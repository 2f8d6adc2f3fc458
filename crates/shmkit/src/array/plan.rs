//! In which order elements are visited: as they lie in memory, in runs as long as can be.
//!
//! The axes of one or two views of the same shape are sorted, merged and turned around until few long runs with a
//! small step are left; kernels see nothing but runs. Steps and positions are in elements.

use std::cmp::Reverse;

/// Where one view lies across the other: long enough along both that whole cache lines are used up, and few enough lines
/// apart by a power of two that they stay in the cache.
const ACROSS: [usize; 2] = [64, 32];
/// An inner axis shorter than this takes turns with the next one.
const SHORT: usize = 16;
/// Steps of that turn: the elements between them stay in the cache until the next turn.
const TURN: usize = 256;

/// What a kernel does with one run.
pub(super) trait Run<const N: usize> {
    /// Visits `len` elements of each view: those at `at[k] + i * steps[k]`. Kernels inline it, so that it is compiled
    /// for the instructions of its caller.
    ///
    /// # Safety
    /// All of them are elements of view `k`.
    unsafe fn run(&mut self, at: [isize; N], len: usize, steps: [isize; N]);
}

/// What a kernel needs of the order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    /// Nothing: every element once, whenever.
    Free,
    /// As `Free`, and the second "view" is the index in C order, whose steps stay positive.
    Indexed,
    /// By rising addresses of the first view.
    Rising,
    /// By falling addresses of the first view.
    Falling,
}

#[derive(Debug, Clone, Copy)]
struct Axis<const N: usize> {
    len: usize,
    steps: [isize; N],
}

/// The order for `N` views of one shape.
///
/// *Invariant:* with all indexes inside of their axes, `at` plus index times step, summed over the axes, visits
/// exactly the elements that the views have. At least two axes, none empty.
#[derive(Debug)]
pub(super) struct Plan<const N: usize> {
    at: [isize; N],
    axes: Vec<Axis<N>>,
    /// How many indexes of the last axis but one, and of the last, are visited before going on along the former.
    tile: [usize; 2],
}

impl<const N: usize> Plan<N> {
    /// A plan for views that begin at `at` and go by `steps`; `None` if they have no elements.
    pub(super) fn new(shape: &[usize], at: [isize; N], steps: [&[isize]; N], order: Order) -> Option<Self> {
        if shape.contains(&0) {
            return None;
        }
        let axes = shape.iter().enumerate().filter(|(_, len)| **len > 1);
        let axes = axes.map(|(i, &len)| Axis { len, steps: steps.map(|steps| steps[i]) });
        let mut plan = Plan { at, axes: axes.collect(), tile: [usize::MAX; 2] };
        if order != Order::Indexed {
            plan.turn(|axis| axis.steps[0] < 0);
        }
        plan.axes.sort_by_key(|axis| Reverse(axis.steps.map(isize::unsigned_abs)));
        plan.merge();
        if order == Order::Falling {
            plan.turn(|_| true);
        }
        while plan.axes.len() < 2 {
            plan.axes.insert(0, Axis { len: 1, steps: [0; N] });
        }
        if matches!(order, Order::Free | Order::Indexed) {
            plan.choose_tile(order);
        }
        Some(plan)
    }

    /// The elements along the shape as one run, in the order of the first axis: for one-dimensional views.
    pub(super) fn line(len: usize, at: [isize; N], steps: [isize; N]) -> Self {
        let axes = vec![Axis { len: 1, steps: [0; N] }, Axis { len, steps }];
        Plan { at, axes, tile: [usize::MAX; 2] }
    }

    /// Whether rising addresses of the first view are what `Order::Rising` visits, no two elements being one.
    pub(super) fn is_nested(&self) -> bool {
        let mut reach = 0;
        self.axes.iter().rev().filter(|axis| axis.len > 1).all(|axis| {
            let step = axis.steps[0].unsigned_abs();
            let nested = step > reach;
            reach += (axis.len - 1) * step;
            nested
        })
    }

    /// Visits the axes that `which` picks from their other end.
    fn turn(&mut self, which: impl Fn(&Axis<N>) -> bool) {
        for axis in self.axes.iter_mut().filter(|axis| which(axis)) {
            for k in 0..N {
                self.at[k] += (axis.len - 1).cast_signed() * axis.steps[k];
                axis.steps[k] = -axis.steps[k];
            }
        }
    }

    /// Makes one axis of two where the inner one ends just where the outer one steps to.
    fn merge(&mut self) {
        self.axes.dedup_by(|inner, outer| {
            let joins =
                (0..N).all(|k| outer.steps[k] == inner.steps[k].wrapping_mul(inner.len.cast_signed()));
            if joins {
                *outer = Axis { len: outer.len * inner.len, steps: inner.steps };
            }
            joins
        });
    }

    /// Keeps within the cache what is visited soon again.
    fn choose_tile(&mut self, order: Order) {
        let last = self.axes.len() - 1;
        if N == 2 && order == Order::Free {
            // The other view's shortest step: where that is another axis, one of the views is transposed.
            let step = |axis: &Axis<N>| axis.steps[1].unsigned_abs();
            let nearest = (0..=last).filter(|i| self.axes[*i].len > 1).min_by_key(|i| step(&self.axes[*i]));
            if let Some(nearest) = nearest
                && step(&self.axes[nearest]) < step(&self.axes[last])
            {
                let axis = self.axes.remove(nearest);
                self.axes.insert(last - 1, axis);
                self.tile = ACROSS;
                return;
            }
        }
        if self.axes[last].len < SHORT && self.axes[last - 1].len > self.axes[last].len {
            self.axes.swap(last - 1, last);
            self.tile = [usize::MAX, TURN];
        }
    }

    /// Calls `run` for all elements.
    ///
    /// # Safety
    /// The views that the plan was made for are mapped, and `run` may do to their elements what it does.
    #[inline(always)]
    pub(super) unsafe fn walk<R: Run<N>>(&self, run: &mut R) {
        let [rest @ .., outer, inner] = self.axes.as_slice() else { return };
        let mut index = vec![0; rest.len()];
        let mut at = self.at;
        loop {
            for first in (0..outer.len).step_by(self.tile[0]) {
                let rows = self.tile[0].min(outer.len - first);
                for start in (0..inner.len).step_by(self.tile[1]) {
                    let len = self.tile[1].min(inner.len - start);
                    let mut at = moved(moved(at, outer, first), inner, start);
                    for _ in 0..rows {
                        // SAFETY: the plan's invariant: all indexes are inside of their axes.
                        unsafe { run.run(at, len, inner.steps) };
                        at = moved(at, outer, 1);
                    }
                }
            }
            let mut axis = rest.len();
            loop {
                if axis == 0 {
                    return;
                }
                axis -= 1;
                index[axis] += 1;
                at = moved(at, &rest[axis], 1);
                if index[axis] < rest[axis].len {
                    break;
                }
                at = moved(at, &rest[axis], rest[axis].len.wrapping_neg());
                index[axis] = 0;
            }
        }
    }
}

/// `by` steps along `axis`. The position after the last one is no element, and may wrap around.
#[inline(always)]
fn moved<const N: usize>(mut at: [isize; N], axis: &Axis<N>, by: usize) -> [isize; N] {
    for (at, step) in at.iter_mut().zip(axis.steps) {
        *at = at.wrapping_add(step.wrapping_mul(by.cast_signed()));
    }
    at
}
