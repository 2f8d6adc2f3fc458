//! A bounded queue of items of one size, in shared memory: written and read in place, by any number of processes on
//! both sides, and going on after every death.
//!
//! - `layout`: the bytes. [`ring`]: what the words mean. [`wait`](QueueWait): sleeping until there is an item, or room.
//!
//! A **participant** is a handle. It holds its number by a lock of the kernel's, as in `sync`; a slot's word says the
//! number of who has it. Whoever finds a dead one's slot in his way takes it from him, and whoever gets a dead one's
//! number clears away what that had before he begins.

mod layout;
pub mod ring;
mod wait;

use std::os::fd::{AsFd, AsRawFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

pub use layout::{DIMENSIONS, Layout, MOST, SLOTS, at};
pub use wait::{QueueWait, Suspect};

use layout::{PARTICIPANT, PARTICIPANTS, corrupt, not_a_queue};
use ring::{Damaged, Field, Found, OWNERS, Ring, Shape, Side};

use crate::fork::{Number, Reopened, Turn};
use crate::segment::{Access, AttachOptions, CreateOptions, Identity, Mapping, Name, Segment};
use crate::sync::presence::Presence;
use crate::{Error, Result};

impl From<Damaged> for Error {
    fn from(_: Damaged) -> Self {
        corrupt("its ring makes no sense")
    }
}

/// A slot that this handle has, by its position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Held(u32);

/// What came of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Got<T> {
    /// It succeeded.
    Done(T),
    /// The queue is full, or empty, or somebody who was first is not done.
    NotNow,
    /// The queue has ended; for consumers, and everything was taken.
    Ended,
}

/// An open queue.
#[derive(Debug)]
pub struct SharedQueue {
    /// Dropped first: the number may be another file's once the segment is closed.
    _reopened: Reopened,
    segment: Segment,
    mapping: Arc<Mapping>,
    layout: Layout,
    me: Number,
    /// One thread of this handle at a time puts in order what the dead left.
    recovering: Turn,
}

impl SharedQueue {
    /// Makes an empty one.
    ///
    /// # Errors
    /// `ERR_OUT_OF_RANGE` for what cannot be; else as `Segment::create`.
    pub fn create(layout: &Layout, options: &CreateOptions) -> Result<Self> {
        layout.check()?;
        let fill = |bytes: crate::bytes::SharedBytes<'_>| layout::write(bytes, layout);
        Self::over(Segment::create_with(layout.size(), options, &AtomicBool::new(false), fill)?)
    }

    /// Opens an existing one, or only that of an identity.
    ///
    /// # Errors
    /// `ERR_SHM_NOT_A_QUEUE`, `ERR_SHM_VERSION`, `ERR_SHM_CORRUPT`; `ERR_SHM_TOO_MANY` where as many have it open as can;
    /// else as `Segment::attach`.
    pub fn attach(name: &Name, foreign: bool, expect: Option<Identity>) -> Result<Self> {
        let options = AttachOptions { access: Access::ReadWrite, foreign, reserve: true, expect };
        Self::over(Segment::attach(name, &options)?)
    }

    fn over(segment: Segment) -> Result<Self> {
        let about = |error: Error| error.about(segment.name().as_str());
        if segment.size() < SLOTS {
            return Err(about(not_a_queue()));
        }
        let mapping = Arc::clone(segment.mapping()?);
        let layout = layout::read(mapping.bytes(), segment.size()).map_err(about)?;
        let reopened = Reopened::note(segment.as_fd().as_raw_fd(), segment.id().inode);
        let mut queue = SharedQueue {
            _reopened: reopened,
            segment,
            mapping,
            layout,
            me: Number::new(0),
            recovering: Turn::default(),
        };
        queue.me = Number::new(queue.join()?);
        Ok(queue)
    }

    /// Its segment.
    pub fn segment(&self) -> &Segment {
        &self.segment
    }

    /// All of it.
    pub fn mapping(&self) -> &Arc<Mapping> {
        &self.mapping
    }

    /// What it is made of.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    fn name(&self) -> &str {
        self.segment.name().as_str()
    }

    /// This participant's number.
    ///
    /// # Errors
    /// `ERR_SHM_CLOSED` after `leave`; in a forked child, which takes part by a number of its own, as `attach`.
    pub fn me(&self) -> Result<u32> {
        match self.me.get(|| self.join())? {
            0 => Err(Error::own("ERR_SHM_CLOSED", format!("'{}' is closed", self.name())).about(self.name())),
            me => Ok(me),
        }
    }

    // ---- who takes part

    fn presence(&self, number: u32) -> Presence<'_> {
        let at = PARTICIPANTS + (number as usize - 1) * PARTICIPANT;
        Presence::at(&self.segment, &self.mapping, at)
    }

    /// Takes a number, and clears away what a dead one left who had it.
    fn join(&self) -> Result<u32> {
        for number in 1..=OWNERS {
            if !self.segment.hold(number - 1)? {
                continue;
            }
            match self.take_number(number) {
                Ok(true) => return Ok(number),
                Ok(false) => self.segment.let_go(number - 1),
                Err(error) => {
                    self.segment.let_go(number - 1);
                    return Err(error);
                }
            }
        }
        let message = format!("{OWNERS} threads have this queue open, which is as many as can");
        Err(Error::own("ERR_SHM_TOO_MANY", message).about(self.name()))
    }

    /// For who holds the number.
    fn take_number(&self, number: u32) -> Result<bool> {
        let presence = self.presence(number);
        let left_something = presence.process().is_some();
        if left_something && presence.lives() {
            return Ok(false);
        }
        // From now on nobody takes for dead what is done under this number.
        presence.note(|| {});
        if left_something {
            let cleared = ring::clear_away(self, number, |other| self.is_dead(other, number));
            if cleared.is_err() || cleared == Ok(false) {
                presence.disown();
                return cleared;
            }
            ring::resign(self, number)?;
        }
        Ok(true)
    }

    /// Whether a number that `me` found in a word is nobody's who lives.
    fn is_dead(&self, number: u32, me: u32) -> Result<bool> {
        if number == me {
            return Ok(false);
        }
        if number == 0 || number > OWNERS {
            return Ok(true);
        }
        self.presence(number).is_dead(number - 1)
    }

    /// Takes no part any more. What it had of the ring is given back: where it `died`, as lost.
    pub fn leave(&self, died: bool) {
        let Some(me) = self.me.give_up() else { return };
        let _ring = self.recovering.take();
        let cleared = if died {
            ring::clear_away(self, me, |other| self.is_dead(other, me))
        } else {
            ring::give_back(self, me).map(|()| true).map_err(Error::from)
        };
        if cleared.is_ok_and(|cleared| cleared) && ring::resign(self, me).is_ok() {
            self.presence(me).clear();
        } else {
            self.presence(me).disown();
        }
        for side in [Side::Items, Side::Room] {
            let _ = ring::pass_on(self, side);
        }
        self.segment.let_go(me - 1);
    }

    /// Takes the slot that is in the way from its owner, as its word was `seen`, if that one is dead.
    ///
    /// # Errors
    /// `ERR_SHM_CORRUPT`; what the system says.
    pub fn recover(&self, index: u32, seen: u32) -> Result<bool> {
        let Some(_one) = self.recovering.try_take() else { return Ok(false) };
        let me = self.me()?; // which `leave` gives back before it comes here
        ring::recover(self, me, (index, seen), |other| self.is_dead(other, me))
    }

    /// Of a queue for one producer and one consumer: is that one from now on.
    ///
    /// # Errors
    /// `ERR_SHM_TOO_MANY` where somebody else is.
    pub fn enlist(&self, side: Side) -> Result<()> {
        if !self.layout.single {
            return Ok(());
        }
        let me = self.me()?;
        let (role, what) = match side {
            Side::Items => (Field::Consumer, "takes from"),
            Side::Room => (Field::Producer, "pushes to"),
        };
        match ring::enlist(self, role, me, |other| self.is_dead(other, me))? {
            Ok(()) => Ok(()),
            Err(other) => {
                let process = (1..=OWNERS).contains(&other).then(|| self.presence(other).process()).flatten();
                let who = process.map_or(String::new(), |process| format!(" of process {}", process.pid));
                let message = format!(
                    "a thread{who} {what} this queue already, which is for one on each side (spsc); create it as mpmc"
                );
                Err(Error::own("ERR_SHM_TOO_MANY", message).about(self.name()))
            }
        }
    }

    // ---- items

    /// Claims a slot, to be written to.
    ///
    /// # Errors
    /// `ERR_SHM_CORRUPT`, `ERR_SHM_CLOSED`; as `enlist`.
    pub fn try_claim(&self) -> Result<Got<Held>> {
        self.enlist(Side::Room)?;
        self.got(ring::claim(self, Some(self.me()?))?)
    }

    /// Takes an item, to be read.
    ///
    /// # Errors
    /// As `try_claim`.
    pub fn try_take(&self) -> Result<Got<Held>> {
        self.enlist(Side::Items)?;
        self.got(ring::take(self, Some(self.me()?))?)
    }

    fn got(&self, found: Found) -> Result<Got<Held>> {
        Ok(match found {
            Found::Position(position) => Got::Done(Held(position)),
            Found::Nothing(_) => Got::NotNow,
            Found::Ended => Got::Ended,
        })
    }

    /// Where a slot's item is in the mapping.
    pub fn item_at(&self, held: Held) -> usize {
        self.layout.slot(self.layout.ring().index(held.0)) + self.layout.item_at()
    }

    /// The item is there from now on.
    ///
    /// # Errors
    /// `ERR_SHM_LOST` where the slot was taken away.
    pub fn commit(&self, held: Held) -> Result<()> {
        self.had(ring::commit(self, held.0, self.me()?)?)
    }

    /// Nothing comes of the claim.
    ///
    /// # Errors
    /// As `commit`.
    pub fn abandon(&self, held: Held) -> Result<()> {
        self.had(ring::abandon(self, held.0, self.me()?)?)
    }

    /// The item is not needed any more.
    ///
    /// # Errors
    /// As `commit`.
    pub fn free(&self, held: Held) -> Result<()> {
        self.had(ring::free(self, held.0, self.me()?)?)
    }

    fn had(&self, had: bool) -> Result<()> {
        if had {
            return Ok(());
        }
        let message =
            "the slot was taken from this participant, who was believed to be dead, or somebody overwrote it";
        Err(Error::own("ERR_SHM_LOST", message).about(self.name()))
    }

    /// Pushes an item, of which as many bytes are used as fit.
    ///
    /// # Errors
    /// As `try_claim` and `commit`.
    pub fn try_push(&self, item: &[u8]) -> Result<Got<()>> {
        let held = match self.try_claim()? {
            Got::Done(held) => held,
            Got::NotNow => return Ok(Got::NotNow),
            Got::Ended => return Ok(Got::Ended),
        };
        let item = &item[..item.len().min(self.layout.item())];
        self.mapping.bytes().store(self.item_at(held), item).ok_or(Damaged)?;
        self.commit(held).map(Got::Done)
    }

    /// Takes an item out of the queue.
    ///
    /// # Errors
    /// As `try_take` and `free`.
    pub fn try_pop(&self) -> Result<Got<Vec<u8>>> {
        let held = match self.try_take()? {
            Got::Done(held) => held,
            Got::NotNow => return Ok(Got::NotNow),
            Got::Ended => return Ok(Got::Ended),
        };
        let item = self.mapping.bytes().to_vec(self.item_at(held), self.layout.item()).ok_or(Damaged)?;
        self.free(held)?;
        Ok(Got::Done(item))
    }

    /// Nothing is pushed any more.
    ///
    /// # Errors
    /// `ERR_SHM_CORRUPT`, `ERR_SHM_CLOSED`
    pub fn end(&self) -> Result<()> {
        self.me()?;
        Ok(ring::end(self)?)
    }

    /// Wakes one who waits at that side, for one who has changed something himself.
    ///
    /// # Errors
    /// `ERR_SHM_CORRUPT`
    pub fn notify(&self, side: Side) -> Result<()> {
        Ok(ring::notify(self, side)?)
    }

    /// Hands a wake-up on to those who wait at that side, if there is anything to be had.
    ///
    /// # Errors
    /// `ERR_SHM_CORRUPT`
    pub fn pass_on(&self, side: Side) -> Result<()> {
        Ok(ring::pass_on(self, side)?)
    }

    /// How many items there are, those included that are being written.
    pub fn len(&self) -> u32 {
        let word = |field| self.word(field).map_or(0, |word| word.load(Ordering::SeqCst));
        let head = word(Field::Head);
        self.layout.ring().distance(head, word(Field::Tail))
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many claims were lost with those who had them.
    pub fn lost(&self) -> u32 {
        self.word(Field::Lost).map_or(0, |word| word.load(Ordering::SeqCst))
    }

    /// Whether `end` was called.
    pub fn ended(&self) -> bool {
        self.word(Field::Ended).is_some_and(|word| word.load(Ordering::SeqCst) != 0)
    }
}

impl Ring for SharedQueue {
    type Word = AtomicU32;

    fn shape(&self) -> Shape {
        self.layout.ring()
    }

    fn word(&self, field: Field) -> Option<&AtomicU32> {
        self.mapping.bytes().atomic(self.layout.word(field)?)
    }
}

impl Drop for SharedQueue {
    fn drop(&mut self) {
        self.leave(true);
    }
}
