//! The life of a mapping, from the first byte shown to JavaScript to the day its addresses are given back.
//!
//! ```text
//!            expose()              zero_map()                last Arc dropped
//!  private ───────────▶ exposed ───────────────▶ zeroed ───────────────────────▶ quarantine ──▶ unmapped
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
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::time::{Duration, Instant};

use crate::Result;
use crate::bytes::SharedBytes;
use crate::error::system_error;
use crate::sys::map::{Range, Span};

/// How long a range stays mapped at least after its finalizer ran.
const QUARANTINE: Duration = Duration::from_secs(60);
/// Zeroed ranges cost addresses only, of which there are 128 TB. Up to this size they stay for good. Beyond it, or
/// when the system has no addresses left (`ulimit -v`), those whose quarantine is over are unmapped.
const QUARANTINED_MAX: usize = 32 << 40;

const PRIVATE: u8 = 0;
const EXPOSED: u8 = 1;
const ABANDONED: u8 = 2;

/// A segment's bytes in this process's memory. Shared by an `Arc`: whoever can still reach the address
/// holds one, and the last to drop it starts the quarantine.
#[derive(Debug)]
pub struct Mapping {
    /// Taken only by `drop`.
    range: Option<Range>,
    state: AtomicU8,
    zeroed: AtomicBool,
}

impl Mapping {
    pub(super) fn new(range: Range) -> Self {
        Mapping { range: Some(range), state: AtomicU8::new(PRIVATE), zeroed: AtomicBool::new(false) }
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

    /// Lets a private view show what the segment holds now, also where it was written to.
    ///
    /// # Errors
    /// The system's.
    pub fn refresh(&self) -> Result<()> {
        self.range.as_ref().map_or(Ok(()), Range::refresh).map_err(system_error("madvise"))
    }

    /// Frees the memory and leaves private zero pages at its address. Idempotent.
    pub fn zero_map(&self) {
        if let Some(range) = &self.range
            && !self.zeroed.swap(true, Ordering::AcqRel)
            && range.zero_map().is_err()
        {
            // The system is out of mappings: the old pages stay, valid memory still. `drop` tries again.
            self.zeroed.store(false, Ordering::Release);
        }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        let state = *self.state.get_mut();
        if state != PRIVATE {
            self.zero_map();
        }
        let Some(range) = self.range.take() else { return };
        match state {
            PRIVATE => range.unmap(),
            EXPOSED => quarantine(range),
            _ => drop(range.into_span()), // which stays mapped
        }
    }
}

/// Neighbouring ranges are one span, as they are one mapping in the kernel: a loop that creates and closes a million
/// segments makes one entry, not a million.
struct QuarantinedSpan {
    since: Instant,
    span: Span,
}

struct Quarantine {
    spans: VecDeque<QuarantinedSpan>,
    bytes: usize,
}

static QUARANTINED: Mutex<Quarantine> = Mutex::new(Quarantine { spans: VecDeque::new(), bytes: 0 });

/// Keeps a zeroed range.
fn quarantine(range: Range) {
    let since = Instant::now();
    let span = range.into_span();
    let mut all = QUARANTINED.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    all.bytes += span.len();
    let left = match all.spans.back_mut() {
        Some(last) => {
            let left = last.span.join(span);
            if left.is_none() {
                last.since = since;
            }
            left
        }
        None => Some(span),
    };
    if let Some(span) = left {
        all.spans.push_back(QuarantinedSpan { since, span });
    }
    if all.bytes > QUARANTINED_MAX {
        all.unmap_expired();
    }
}

impl Quarantine {
    fn unmap_expired(&mut self) -> bool {
        let before = self.spans.len();
        while self.spans.front().is_some_and(|span| span.since.elapsed() >= QUARANTINE) {
            if let Some(span) = self.spans.pop_front() {
                self.bytes -= span.span.len();
                span.span.unmap();
            }
        }
        self.spans.len() < before
    }
}

/// Unmaps the spans whose quarantine is over. Returns whether there were any.
pub(super) fn unmap_expired() -> bool {
    QUARANTINED.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).unmap_expired()
}
