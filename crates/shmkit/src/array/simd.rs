//! Loops compiled twice: for every machine of the architecture, and for those with AVX2.

use super::plan::{Plan, Run};

/// Walks `plan` by the best instructions that the machine has, and gives `run` back with what it found.
///
/// # Safety
/// As [`Plan::walk`].
pub(super) unsafe fn walk<R: Run<N>, const N: usize>(plan: &Plan<N>, mut run: R) -> R {
    #[cfg(target_arch = "x86_64")]
    if std::arch::is_x86_feature_detected!("avx2") {
        // SAFETY: the machine has AVX2; the rest is the caller's promise.
        return unsafe { walk_avx2(plan, run) };
    }
    // SAFETY: the caller's promise.
    unsafe { plan.walk(&mut run) };
    run
}

/// The same code, all of it inlined into a function that may use AVX2.
///
/// # Safety
/// The machine has AVX2. Else as [`Plan::walk`].
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
unsafe fn walk_avx2<R: Run<N>, const N: usize>(plan: &Plan<N>, mut run: R) -> R {
    // SAFETY: the caller's promise.
    unsafe { plan.walk(&mut run) };
    run
}
