//! The life of a mapping, from the first byte shown to JavaScript to the day its addresses are given back.
//!
//! ```text
//!            expose()                blank()                  last Arc dropped
//!  private ───────────▶ exposed ───────────────▶ blanked ───────────────────────▶ quarantine ──▶ unmapped
//!     │                    │                        │ abandon()
//!     │ dropped            └── abandon(), dropped ──┴──────────▶ zero pages for ever
//!     ▼
//!  unmapped
//! ```
//!
//! *Invariant:* an address that JavaScript has been shown is mapped for as long as anything could still
//! read or write it. Nothing tells when that ends: a `zlib.gzip` in flight holds a bare pointer that
//! outlives both `close()` and V8's finalizer. So closing puts private zero pages over the range, which
//! gives the memory back and leaves the addresses valid, and the addresses go only after a quarantine.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{Duration, Instant};

use super::platform;
use crate::Result;
use crate::bytes::SharedBytes;

/// How long a range that the finalizer gave back stays mapped at least.
const QUARANTINE: Duration = Duration::from_secs(60);
/// Ranges kept beyond that time, as long as there are no more and they span no more addresses than this:
/// blanked ranges cost no memory, so there is no hurry.
const KEPT_RANGES: usize = 32_768;
const KEPT_BYTES: usize = 1 << 42;

const PRIVATE: u8 = 0;
const EXPOSED: u8 = 1;
const ABANDONED: u8 = 2;

/// A segment's bytes in this process's memory. Shared by an `Arc`: whoever can still reach the address
/// holds one, and the last to drop it starts the quarantine.
#[derive(Debug)]
pub struct Mapping {
    /// Taken only by `drop`.
    range: Option<platform::Range>,
    state: AtomicU8,
    blanked: AtomicU8,
}

impl Mapping {
    pub(super) fn new(range: platform::Range) -> Self {
        Mapping { range: Some(range), state: AtomicU8::new(PRIVATE), blanked: AtomicU8::new(0) }
    }

    /// Address and length in bytes.
    pub fn raw(&self) -> (*mut u8, usize) {
        self.range.as_ref().map_or((std::ptr::dangling_mut(), 0), |range| (range.start(), range.len()))
    }

    /// The bytes, for as long as this mapping is held.
    pub fn bytes(&self) -> SharedBytes<'_> {
        let (start, len) = self.raw();
        // SAFETY: a range is page-aligned and stays mapped until `drop`; no references are ever made
        // into it, in this crate or by its users (the address is given out as a raw pointer only).
        unsafe { SharedBytes::new(start, len) }
    }

    /// Says that the address is about to leave Rust's control: from now on the range outlives this value
    /// by the quarantine.
    pub fn expose(&self) {
        let _ = self.state.compare_exchange(PRIVATE, EXPOSED, Ordering::AcqRel, Ordering::Acquire);
    }

    /// Says that nobody will ever know when the last use of the address ends (the environment that would
    /// have told is being torn down): the range stays mapped until the process ends.
    pub fn abandon(&self) {
        self.state.store(ABANDONED, Ordering::Release);
    }

    pub(super) fn refresh(&self) -> Result<()> {
        self.range.as_ref().map_or(Ok(()), platform::Range::refresh)
    }

    /// Gives the memory back and leaves private zero pages at its address. Idempotent.
    pub fn blank(&self) {
        if self.blanked.swap(1, Ordering::AcqRel) == 0
            && let Some(range) = &self.range
        {
            // Where the system refuses (it is out of mappings), the old pages stay: still valid memory.
            let _ = range.blank();
        }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        let state = *self.state.get_mut();
        if state != PRIVATE {
            self.blank();
        }
        let Some(range) = self.range.take() else { return };
        match state {
            PRIVATE => range.unmap(),
            EXPOSED => quarantine(range),
            _ => range.leak(),
        }
    }
}

struct Quarantine {
    ranges: VecDeque<(Instant, platform::Range)>,
    bytes: usize,
}

static QUARANTINED: Mutex<Quarantine> = Mutex::new(Quarantine { ranges: VecDeque::new(), bytes: 0 });

/// Keeps a blanked range, and unmaps the oldest ones that are due.
fn quarantine(range: platform::Range) {
    let now = Instant::now();
    let mut due = Vec::new();
    {
        let mut kept = QUARANTINED.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        kept.bytes += range.len();
        kept.ranges.push_back((now, range));
        while kept.ranges.len() > KEPT_RANGES || kept.bytes > KEPT_BYTES {
            match kept.ranges.front() {
                Some((since, _)) if now.duration_since(*since) >= QUARANTINE => {}
                _ => break,
            }
            if let Some((_, range)) = kept.ranges.pop_front() {
                kept.bytes -= range.len();
                due.push(range);
            }
        }
    }
    due.into_iter().for_each(platform::Range::unmap);
}
