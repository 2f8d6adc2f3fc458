//! What happens to descriptors in a forked child, and at exit.

use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicPtr, AtomicU32, AtomicU64, Ordering};

/// How many forks lie between this process and the one that the program was started as.
static FORKS: AtomicU32 = AtomicU32::new(0);
/// A list that only grows: its nodes are reused.
static REOPENED: AtomicPtr<Node> = AtomicPtr::new(ptr::null_mut());

/// Calls `hook` in each forked child of this process. It must do nothing but stores and system calls, since the parent may
/// have other threads, and the module that it is in must never be unloaded.
pub fn in_forked_child(hook: extern "C" fn()) {
    // SAFETY: it takes a function, which lives as long as its module.
    unsafe { libc::pthread_atfork(None, None, Some(hook)) };
}

/// Calls `hook` when this process exits. The module that it is in must never be unloaded.
pub fn at_exit(hook: extern "C" fn()) {
    // SAFETY: it takes a function, which lives as long as its module.
    unsafe { libc::atexit(hook) };
}

/// How many forks lie between this process and the one that the program was started as, since a [`Reopened`] was first
/// made. What was stored at another count belongs to the parent.
pub fn count() -> u32 {
    FORKS.load(Ordering::Acquire)
}

struct Node {
    descriptor: Descriptor,
    taken: AtomicBool,
    next: *mut Node,
}

/// A descriptor whose number stands for the same file in a forked child, opened anew: the locks that the parent has by it
/// belong to the parent alone.
#[derive(Debug)]
pub struct Reopened(&'static Node);

impl std::fmt::Debug for Node {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.descriptor.fmt(f)
    }
}

// SAFETY: `next` is never changed once the node is in the list, and nodes are never freed.
unsafe impl Sync for Node {}

impl Reopened {
    /// The descriptor of this number, whose file has this inode. Drop this before the descriptor is closed.
    pub fn new(number: i32, inode: u64) -> Self {
        static HOOKED: AtomicBool = AtomicBool::new(false);
        if !HOOKED.swap(true, Ordering::AcqRel) {
            in_forked_child(forked);
        }
        let node = nodes().find(|node| !node.taken.swap(true, Ordering::AcqRel)).unwrap_or_else(new_node);
        node.descriptor.set(number, inode);
        Reopened(node)
    }
}

impl Drop for Reopened {
    fn drop(&mut self) {
        self.0.descriptor.set(-1, 0);
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

extern "C" fn forked() {
    FORKS.fetch_add(1, Ordering::AcqRel);
    nodes().for_each(|node| node.descriptor.reopen());
}

/// The number of a descriptor that a forked child must not keep: its parent would seem alive as long as the child is.
#[derive(Debug)]
pub struct Descriptor {
    number: AtomicI32,
    inode: AtomicU64,
}

impl Descriptor {
    /// Of no descriptor.
    #[expect(clippy::new_without_default, reason = "it is for statics")]
    pub const fn new() -> Self {
        Descriptor { number: AtomicI32::new(-1), inode: AtomicU64::new(0) }
    }

    /// Stores the number of a descriptor and the inode of its file; -1 for none.
    pub fn set(&self, number: i32, inode: u64) {
        self.number.store(-1, Ordering::Release);
        self.inode.store(inode, Ordering::Release);
        self.number.store(number, Ordering::Release);
    }

    /// Replaces it by another open description of the same file, in a forked child; by `/dev/null` if that fails. Only
    /// calls that are safe there.
    fn reopen(&self) {
        let number = self.number.load(Ordering::Acquire);
        if number < 0 || !self.is_open(number) {
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
        // SAFETY: plain system calls with strings that end in NUL. The number belongs to the stored file, as was just
        // checked, and its user keeps it: afterwards it is open again.
        unsafe {
            let mut fresh = libc::open(path.as_ptr().cast(), flags);
            if fresh < 0 {
                // If no number is left, this one is free now. Locking calls on this file fail.
                libc::close(number);
                fresh = libc::open(c"/dev/null".as_ptr(), flags);
            }
            if fresh >= 0 && fresh != number {
                libc::dup3(fresh, number, libc::O_CLOEXEC);
                libc::close(fresh);
            }
        }
    }

    /// Whether the number still belongs to the stored file.
    fn is_open(&self, number: i32) -> bool {
        // SAFETY: a plain system call into a struct of this frame.
        unsafe {
            let mut stat = std::mem::zeroed::<libc::stat>();
            libc::fstat(number, &mut stat) == 0 && stat.st_ino == self.inode.load(Ordering::Acquire)
        }
    }

    /// Closes it in a forked child. Only calls that are safe there.
    pub fn close(&self) {
        let number = self.number.swap(-1, Ordering::AcqRel);
        if number < 0 {
            return;
        }
        // Closing the child's copy keeps the parent's lock; unlocking it would end that.
        if self.is_open(number) {
            // SAFETY: a plain system call on the stored file, whose owner in this process was just forgotten for good.
            unsafe { libc::close(number) };
        }
    }
}
