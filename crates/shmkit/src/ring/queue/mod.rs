//! A bounded queue of items of one size, in shared memory: written and read in place, by any number of processes on
//! both sides, and going on after every death.
//!
//! - `layout`: the bytes. [`ring`]: what the words mean. [`wait`](QueueWait): sleeping until there is an item, or room.
//!
//! A **participant** is a handle. It holds its number by a lock of the kernel's, as in `sync`; a slot's word says the
//! number of who has it. Whoever finds a dead one's slot in his way takes it from him, and whoever gets a dead one's
//! number clears away what that had before he begins.

mod layout;
pub mod protocol;
mod wait;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

pub use crate::ring::items::Got;
pub use layout::{Layout, SLOTS, at};
pub use wait::{QueueWait, Suspect};

use layout::{FORM, PARTICIPANTS, corrupt};
use protocol::{Damaged, Field, Found, QueueMemory, Shape, Side};

use crate::ring::participant::Participant;
use crate::segment::{Access, AttachOptions, CreateOptions, Identity, Mapping, Name, Segment};
use crate::sys::per_process::PerProcessLock;
use crate::{Error, Result};

impl From<Damaged> for Error {
    fn from(_: Damaged) -> Self {
        corrupt("its ring makes no sense")
    }
}

/// A slot that this handle has, by its position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Held(u32);

/// An open queue.
#[derive(Debug)]
pub struct SharedQueue {
    participant: Participant,
    layout: Layout,
    /// One thread of this handle at a time puts in order what the dead left.
    recovering: PerProcessLock,
}

impl SharedQueue {
    /// Makes an empty one.
    ///
    /// # Errors
    /// `ERR_OUT_OF_RANGE` for what cannot be; else as `Segment::create`.
    pub fn create(layout: &Layout, options: &CreateOptions) -> Result<Self> {
        Self::over(FORM.create(&layout.items, layout.usage(), options)?)
    }

    /// Opens the queue of the name in the options and joins its owners, or makes it. What there is may have another layout.
    ///
    /// # Errors
    /// As `create` and `attach`.
    pub fn create_or_attach(layout: &Layout, options: &CreateOptions) -> Result<Self> {
        Self::over(FORM.create_or_attach(&layout.items, layout.usage(), options)?)
    }

    /// Opens an existing one, or only that of an identity.
    ///
    /// # Errors
    /// `ERR_SHM_NOT_A_QUEUE`, `ERR_SHM_VERSION`, `ERR_SHM_CORRUPT`; `ERR_SHM_TOO_MANY` if as many have it open as can;
    /// else as `Segment::attach`.
    pub fn attach(name: &Name, foreign: bool, expect: Option<Identity>) -> Result<Self> {
        let options = AttachOptions { access: Access::ReadWrite, foreign, reserve: true, expect };
        Self::over(Segment::attach(name, &options)?)
    }

    fn over(segment: Segment) -> Result<Self> {
        let (participant, layout) = Participant::open(segment, &FORM, PARTICIPANTS, layout::read)?;
        let mut queue = SharedQueue { participant, layout, recovering: PerProcessLock::default() };
        let number = queue.join()?;
        queue.participant.joined(number);
        Ok(queue)
    }

    /// Its segment.
    pub fn segment(&self) -> &Segment {
        self.participant.segment()
    }

    /// All of it.
    pub fn mapping(&self) -> &Arc<Mapping> {
        self.participant.mapping()
    }

    /// What it is made of.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    fn name(&self) -> &str {
        self.participant.name()
    }

    /// This participant's number.
    ///
    /// # Errors
    /// `ERR_SHM_CLOSED` after `leave`; in a forked child, which takes part by a number of its own, as `attach`.
    pub fn me(&self) -> Result<u32> {
        self.participant.me(|| self.join())
    }

    // ---- who takes part

    /// Takes a number, and clears away what a dead one left who had it.
    fn join(&self) -> Result<u32> {
        self.participant.take("queue", |number| self.clear_after(number))
    }

    /// Clears away what a dead one left who had this number.
    fn clear_after(&self, number: u32) -> Result<bool> {
        let cleared =
            protocol::clear_participant(self, number, |other| self.participant.is_dead(other, number))?;
        if cleared {
            protocol::resign(self, number)?;
        }
        Ok(cleared)
    }

    /// Takes no part any more. What it had of the ring is given back: where it `died`, as lost.
    pub fn leave(&self, died: bool) {
        let Some(me) = self.participant.give_up_number() else { return };
        let _ring = self.recovering.lock();
        let cleared = if died {
            protocol::clear_participant(self, me, |other| self.participant.is_dead(other, me))
        } else {
            protocol::give_back(self, me).map(|()| true).map_err(Error::from)
        };
        let resigned = cleared.is_ok_and(|cleared| cleared) && protocol::resign(self, me).is_ok();
        for side in [Side::Items, Side::Room] {
            let _ = protocol::pass_on(self, side);
        }
        self.participant.release_number(me, resigned);
    }

    /// Takes the slot that is in the way from its owner, as its word was `seen`, if that one is dead.
    ///
    /// # Errors
    /// `ERR_SHM_CORRUPT`; else the system's.
    pub fn recover(&self, index: u32, seen: u32) -> Result<bool> {
        let Some(_one) = self.recovering.try_lock() else { return Ok(false) };
        let me = self.me()?; // which `leave` gives back before it comes here
        protocol::recover(self, me, (index, seen), |other| self.participant.is_dead(other, me))
    }

    /// Who has the number that a slot's word says: a pid in its own PID namespace, where that is known, and whether it
    /// lives.
    ///
    /// # Errors
    /// `ERR_SHM_CLOSED`; else the system's.
    pub fn holder(&self, number: u32) -> Result<(Option<u32>, bool)> {
        let dead = self.participant.is_dead(number, self.me()?)?;
        Ok((self.participant.pid_of(number), !dead))
    }

    /// Of a queue for one producer and one consumer: is that one from now on.
    ///
    /// # Errors
    /// `ERR_SHM_TOO_MANY` if somebody else is.
    pub fn enlist(&self, side: Side) -> Result<()> {
        if !self.layout.single {
            return Ok(());
        }
        let me = self.me()?;
        let (role, what) = match side {
            Side::Items => (Field::Consumer, "takes from"),
            Side::Room => (Field::Producer, "pushes to"),
        };
        match protocol::enlist(self, role, me, |other| self.participant.is_dead(other, me))? {
            Ok(()) => Ok(()),
            Err(other) => {
                let who = self.participant.describe_process(other);
                let message = format!(
                    "a thread{who} {what} this queue already, which is for one on each side; create it without spsc"
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
        self.got(protocol::claim(self, Some(self.me()?))?)
    }

    /// Takes an item, to be read.
    ///
    /// # Errors
    /// As `try_claim`.
    pub fn try_take(&self) -> Result<Got<Held>> {
        self.enlist(Side::Items)?;
        self.got(protocol::take(self, Some(self.me()?))?)
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
        self.layout.slot(self.layout.ring().index(held.0)) + self.layout.items.item_at()
    }

    /// The item is there from now on.
    ///
    /// # Errors
    /// `ERR_SHM_LOST` if the slot was taken away.
    pub fn commit(&self, held: Held) -> Result<()> {
        self.check_held(protocol::commit(self, held.0, self.me()?)?)
    }

    /// Nothing comes of the claim.
    ///
    /// # Errors
    /// As `commit`.
    pub fn abandon(&self, held: Held) -> Result<()> {
        self.check_held(protocol::abandon(self, held.0, self.me()?)?)
    }

    /// The item is not needed any more.
    ///
    /// # Errors
    /// As `commit`.
    pub fn free(&self, held: Held) -> Result<()> {
        self.check_held(protocol::free(self, held.0, self.me()?)?)
    }

    fn check_held(&self, was_held: bool) -> Result<()> {
        if was_held {
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
        let item = &item[..item.len().min(self.layout.items.item())];
        self.participant.mapping().bytes().store(self.item_at(held), item).ok_or(Damaged)?;
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
        let item = self
            .participant
            .mapping()
            .bytes()
            .to_vec(self.item_at(held), self.layout.items.item())
            .ok_or(Damaged)?;
        self.free(held)?;
        Ok(Got::Done(item))
    }

    /// Nothing is pushed any more.
    ///
    /// # Errors
    /// `ERR_SHM_CORRUPT`, `ERR_SHM_CLOSED`
    pub fn end(&self) -> Result<()> {
        self.me()?;
        Ok(protocol::end(self)?)
    }

    /// Wakes one who waits at that side, for one who has changed something himself.
    ///
    /// # Errors
    /// `ERR_SHM_CORRUPT`
    pub fn notify(&self, side: Side) -> Result<()> {
        Ok(protocol::notify(self, side)?)
    }

    /// Hands a wake-up on to those who wait at that side, if there is anything to be had.
    ///
    /// # Errors
    /// `ERR_SHM_CORRUPT`
    pub fn pass_on(&self, side: Side) -> Result<()> {
        Ok(protocol::pass_on(self, side)?)
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

impl QueueMemory for SharedQueue {
    type Word = AtomicU32;

    fn shape(&self) -> Shape {
        self.layout.ring()
    }

    fn word(&self, field: Field) -> Option<&AtomicU32> {
        self.participant.mapping().bytes().atomic(self.layout.word(field)?)
    }
}

impl Drop for SharedQueue {
    fn drop(&mut self) {
        self.leave(true);
    }
}
