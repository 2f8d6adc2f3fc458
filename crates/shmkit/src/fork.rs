//! State of a process that a forked child must not take over.

use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicPtr, AtomicU32, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use crate::Result;

/// A mutex that a forked child finds empty and open: the parent's contents are not its own, and a thread that does
/// not exist in the child may have held the parent's.
///
/// *Invariant:* null, or a leaked mutex.
pub(crate) struct PerProcess<T>(AtomicPtr<Mutex<Option<T>>>);

impl<T> PerProcess<T> {
    pub(crate) const fn new() -> Self {
        PerProcess(AtomicPtr::new(ptr::null_mut()))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Option<T>> {
        self.mutex().lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// Its lock, unless somebody has it.
    pub(crate) fn try_lock(&self) -> Option<MutexGuard<'_, Option<T>>> {
        self.mutex().try_lock().ok()
    }

    fn mutex(&self) -> &Mutex<Option<T>> {
        let mut current = self.0.load(Ordering::Acquire);
        if current.is_null() {
            let fresh = Box::into_raw(Box::default());
            match self.0.compare_exchange(ptr::null_mut(), fresh, Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => current = fresh,
                Err(other) => {
                    // SAFETY: `fresh` was made above, and nobody else has seen it.
                    drop(unsafe { Box::from_raw(fresh) });
                    current = other;
                }
            }
        }
        // SAFETY: by the invariant, and mutexes are never freed.
        unsafe { &*current }
    }

    /// In a forked child: safe there, being a store and nothing else.
    pub(crate) fn forget(&self) {
        self.0.store(ptr::null_mut(), Ordering::Release);
    }
}

// SAFETY: what it points to is a mutex, which is shared as far as its contents can be sent.
unsafe impl<T: Send> Sync for PerProcess<T> {}

/// How many forks lie between this process and the one that the program was started as.
static FORKS: AtomicU32 = AtomicU32::new(0);
/// A list that only grows: its nodes are used again.
static REOPENED: AtomicPtr<Node> = AtomicPtr::new(ptr::null_mut());

/// How many forks lie between this process and the one that the program was started as: what was noted at another
/// count is the parent's.
pub(crate) fn count() -> u32 {
    FORKS.load(Ordering::Acquire)
}

/// Beside the count of forks while a thread takes a number for a forked child. That of an earlier fork is of a thread that
/// is not there any more.
const REJOINING: u32 = 1 << 31;

/// The number that this process has as a participant of something. A forked child, to which its parent's is nothing, takes
/// one of its own at its first use.
#[derive(Debug)]
pub(crate) struct Number {
    number: AtomicU32,
    /// The count of forks when that was taken.
    forks: AtomicU32,
}

impl Number {
    /// One that was just taken; 0 for none.
    pub(crate) fn new(number: u32) -> Self {
        Number { number: AtomicU32::new(number), forks: AtomicU32::new(count()) }
    }

    /// The number, in a forked child what `join` takes; 0 where it was given up.
    pub(crate) fn get(&self, join: impl Fn() -> Result<u32>) -> Result<u32> {
        loop {
            let (now, then) = (count(), self.forks.load(Ordering::Acquire));
            let number = self.last();
            if now == then || number == 0 {
                return Ok(number);
            }
            let exchange =
                |old, new| self.forks.compare_exchange(old, new, Ordering::AcqRel, Ordering::Acquire);
            if then == now | REJOINING || exchange(then, now | REJOINING).is_err() {
                std::thread::yield_now(); // another thread of the child is at it
                continue;
            }
            let joined = join();
            if let Ok(number) = joined {
                self.number.store(number, Ordering::Release);
            }
            self.forks.store(if joined.is_ok() { now } else { then }, Ordering::Release);
            joined?;
        }
    }

    /// The number that this process, or its parent, had last.
    pub(crate) fn last(&self) -> u32 {
        self.number.load(Ordering::Acquire)
    }

    /// The number, which is this one's no more; `None` where it was not.
    pub(crate) fn give_up(&self) -> Option<u32> {
        let number = self.number.swap(0, Ordering::AcqRel);
        (number != 0 && count() == self.forks.load(Ordering::Acquire)).then_some(number)
    }
}

/// What one thread does at a time. In a forked child nobody does it, whoever did in the parent.
#[derive(Debug, Default)]
pub(crate) struct Turn(AtomicU32);

/// Somebody's turn, while it lives.
#[derive(Debug)]
pub(crate) struct MyTurn<'t>(&'t Turn);

impl Turn {
    /// This thread's, unless somebody has it.
    pub(crate) fn try_take(&self) -> Option<MyTurn<'_>> {
        let (mine, seen) = (count() + 1, self.0.load(Ordering::Acquire));
        let taken =
            seen != mine && self.0.compare_exchange(seen, mine, Ordering::AcqRel, Ordering::Acquire).is_ok();
        taken.then_some(MyTurn(self))
    }

    /// This thread's, once nobody has it: for what takes a moment.
    pub(crate) fn take(&self) -> MyTurn<'_> {
        loop {
            if let Some(mine) = self.try_take() {
                return mine;
            }
            std::thread::sleep(Duration::from_micros(50));
        }
    }
}

impl Drop for MyTurn<'_> {
    fn drop(&mut self) {
        self.0.0.store(0, Ordering::Release);
    }
}

struct Node {
    descriptor: Descriptor,
    taken: AtomicBool,
    next: *mut Node,
}

/// A descriptor under whose number a forked child finds the same file, opened anew: what the parent has locked by it
/// is the parent's alone.
#[derive(Debug)]
pub(crate) struct Reopened(&'static Node);

impl std::fmt::Debug for Node {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.descriptor.fmt(f)
    }
}

// SAFETY: `next` is never changed once the node is in the list, and nodes are never freed.
unsafe impl Sync for Node {}

impl Reopened {
    pub(crate) fn note(number: i32, inode: u64) -> Self {
        static HOOKED: AtomicBool = AtomicBool::new(false);
        if !HOOKED.swap(true, Ordering::AcqRel) {
            // SAFETY: it takes a function that lives as long as the process does: the module is never unloaded.
            unsafe { libc::pthread_atfork(None, None, Some(in_a_forked_child)) };
        }
        let node = nodes().find(|node| !node.taken.swap(true, Ordering::AcqRel)).unwrap_or_else(new_node);
        node.descriptor.note(number, inode);
        Reopened(node)
    }
}

impl Drop for Reopened {
    fn drop(&mut self) {
        self.0.descriptor.note(-1, 0);
        self.0.taken.store(false, Ordering::Release);
    }
}

fn nodes() -> impl Iterator<Item = &'static Node> {
    let mut next = REOPENED.load(Ordering::Acquire);
    std::iter::from_fn(move || {
        // SAFETY: null, or a node of the list, which is leaked.
        let node = unsafe { next.as_ref() }?;
        next = node.next;
        Some(node)
    })
}

fn new_node() -> &'static Node {
    let descriptor = Descriptor::new();
    let node = Box::leak(Box::new(Node { descriptor, taken: AtomicBool::new(true), next: ptr::null_mut() }));
    node.next = REOPENED.load(Ordering::Acquire);
    loop {
        let next = node.next;
        match REOPENED.compare_exchange(next, node, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => return node,
            Err(now) => node.next = now,
        }
    }
}

/// Only stores and system calls: the parent may have had other threads.
extern "C" fn in_a_forked_child() {
    FORKS.fetch_add(1, Ordering::AcqRel);
    nodes().for_each(|node| node.descriptor.reopen());
}

/// A descriptor that a forked child must not keep, or its parent would seem to live as long as the child does.
#[derive(Debug)]
pub(crate) struct Descriptor {
    number: AtomicI32,
    inode: AtomicU64,
}

impl Descriptor {
    pub(crate) const fn new() -> Self {
        Descriptor { number: AtomicI32::new(-1), inode: AtomicU64::new(0) }
    }

    /// From now on it is this one; -1 for none.
    pub(crate) fn note(&self, number: i32, inode: u64) {
        self.number.store(-1, Ordering::Release);
        self.inode.store(inode, Ordering::Release);
        self.number.store(number, Ordering::Release);
    }

    /// Puts another open description of the same file in its place, in a forked child; of no file at all where that
    /// cannot be had. Only calls that are safe there.
    fn reopen(&self) {
        let number = self.number.load(Ordering::Acquire);
        if number < 0 || !self.is_there(number) {
            return;
        }
        let mut path = *b"/proc/self/fd/\0\0\0\0\0\0\0\0\0\0\0\0";
        let (mut left, mut digits) = (number, 1);
        while left >= 10 {
            left /= 10;
            digits += 1;
        }
        left = number;
        for digit in path[14..14 + digits].iter_mut().rev() {
            *digit = b'0' + (left % 10) as u8;
            left /= 10;
        }
        let flags = libc::O_RDWR | libc::O_CLOEXEC;
        // SAFETY: plain system calls with strings that end in NUL. The number is that of the noted file, as was just
        // seen, and stays its user's: it is never closed here.
        unsafe {
            let mut fresh = libc::open(path.as_ptr().cast(), flags);
            if fresh < 0 {
                // Where there are no numbers left, this one is; a file that no lock is in makes its use an error.
                libc::close(number);
                fresh = libc::open(c"/dev/null".as_ptr(), flags);
            }
            if fresh >= 0 && fresh != number {
                libc::dup3(fresh, number, libc::O_CLOEXEC);
                libc::close(fresh);
            }
        }
    }

    /// Whether the number still is the noted file's.
    fn is_there(&self, number: i32) -> bool {
        // SAFETY: a plain system call into a struct of this frame.
        unsafe {
            let mut stat = std::mem::zeroed::<libc::stat>();
            libc::fstat(number, &mut stat) == 0 && stat.st_ino == self.inode.load(Ordering::Acquire)
        }
    }

    /// Closes it in a forked child. Only calls that are safe there.
    pub(crate) fn close(&self) {
        let number = self.number.swap(-1, Ordering::AcqRel);
        if number < 0 {
            return;
        }
        // Closing the child's copy leaves the parent's lock, which unlocking it would not.
        if self.is_there(number) {
            // SAFETY: a plain system call, on the file that was noted, whose owner in this process was just forgotten
            // for good.
            unsafe { libc::close(number) };
        }
    }
}
