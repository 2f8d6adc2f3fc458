//! A ring of items of one size, in shared memory, that one writes and many read, each at its own place.
//!
//! - `layout`: the bytes. [`steps`]: what the words mean. [`wait`](BroadcastWait): sleeping until there is an item, or room.
//!
//! A **participant** is a handle. It holds its number by a lock of the kernel's, as in `sync`. A **reader** has an entry
//! of its own that says whose it is; a handle may have many. Who waits for a dead one's entry takes it from him.

mod layout;
pub mod protocol;
mod wait;

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

pub use crate::ring::items::Got;
pub use layout::{ENTRY, Layout, SLOTS, at, count_at};
pub use protocol::{READERS, Reader};
pub use wait::{Awaited, BroadcastWait, Suspect};

use layout::{FORM, PARTICIPANTS, corrupt};
use protocol::{BroadcastMemory, Claimed, Count, Damaged, Field, MOST, Ready, Side, TRIES, Writer};

use crate::ring::participant::Participant;
use crate::segment::{Access, AttachOptions, CreateOptions, Identity, Mapping, Name, Segment};
use crate::sys::per_process::PerProcessLock;
use crate::{Error, Result};

impl From<Damaged> for Error {
    fn from(_: Damaged) -> Self {
        corrupt("its counts make no sense")
    }
}

/// An open broadcast.
#[derive(Debug)]
pub struct SharedBroadcast {
    participant: Participant,
    layout: Layout,
    /// Where this handle is the writer, and publishes by `try_publish`.
    writer: Mutex<Option<Writer>>,
    /// One thread of this handle at a time puts in order what the dead left.
    recovering: PerProcessLock,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl SharedBroadcast {
    /// Makes one of which nothing was published.
    ///
    /// # Errors
    /// `ERR_OUT_OF_RANGE` for what cannot be; else as `Segment::create`.
    pub fn create(layout: &Layout, options: &CreateOptions) -> Result<Self> {
        Self::over(FORM.create(&layout.items, layout.usage(), options)?)
    }

    /// Opens the broadcast of the name in the options and joins its owners, or makes it. What there is may have another layout.
    ///
    /// # Errors
    /// As `create` and `attach`.
    pub fn create_or_attach(layout: &Layout, options: &CreateOptions) -> Result<Self> {
        Self::over(FORM.create_or_attach(&layout.items, layout.usage(), options)?)
    }

    /// Opens an existing one, or only that of an identity.
    ///
    /// # Errors
    /// `ERR_SHM_NOT_A_BROADCAST`, `ERR_SHM_VERSION`, `ERR_SHM_CORRUPT`; `ERR_SHM_TOO_MANY` if as many have it open as can;
    /// else as `Segment::attach`.
    pub fn attach(name: &Name, foreign: bool, expect: Option<Identity>) -> Result<Self> {
        let options = AttachOptions { access: Access::ReadWrite, foreign, reserve: true, expect };
        Self::over(Segment::attach(name, &options)?)
    }

    fn over(segment: Segment) -> Result<Self> {
        let (participant, layout) = Participant::open(segment, &FORM, PARTICIPANTS, layout::read)?;
        let mut broadcast = SharedBroadcast {
            participant,
            layout,
            writer: Mutex::new(None),
            recovering: PerProcessLock::default(),
        };
        let number = broadcast.participant.take("broadcast", |number| {
            protocol::clear_participant(&broadcast, number)?;
            Ok(true)
        })?;
        broadcast.participant.joined(number);
        Ok(broadcast)
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
    /// `ERR_SHM_CLOSED` after `leave`, and in a forked child, which has to attach anew.
    pub fn me(&self) -> Result<u32> {
        self.participant.me(|| {
            let message = format!("'{}' is the parent's; attach to it in this process", self.name());
            Err(Error::own("ERR_SHM_CLOSED", message).about(self.name()))
        })
    }

    /// Takes no part any more: reads no more, and publishes no more.
    pub fn leave(&self) {
        let Some(me) = self.participant.give_up_number() else { return };
        let _one = self.recovering.lock();
        self.participant.release_number(me, protocol::clear_participant(self, me).is_ok());
    }

    // ---- the writer

    /// Is the one who publishes from now on; the item that it publishes next.
    ///
    /// # Errors
    /// `ERR_SHM_TOO_MANY` if somebody else is; `ERR_SHM_CORRUPT`, `ERR_SHM_CLOSED`.
    pub fn enlist(&self) -> Result<Writer> {
        let me = self.me()?;
        protocol::enlist(self, me, |other| self.participant.is_dead(other, me))?.map_err(|other| {
            let who = self.participant.describe_process(other);
            let message =
                format!("a thread{who} publishes here already: a broadcast has one writer at a time");
            Error::own("ERR_SHM_TOO_MANY", message).about(self.name())
        })
    }

    /// Publishes an item, of which as many bytes are used as fit.
    ///
    /// # Errors
    /// As `enlist`.
    pub fn try_publish(&self, item: &[u8]) -> Result<Got<()>> {
        self.me()?;
        let mut writer = locked(&self.writer);
        let writer = match &mut *writer {
            Some(known) => known,
            none => none.insert(self.enlist()?),
        };
        match protocol::claim(self, writer)? {
            Claimed::Yes => {}
            Claimed::Full(..) => return Ok(Got::NotNow),
            Claimed::Ended => return Ok(Got::Ended),
        }
        let item = &item[..item.len().min(self.layout.items.item())];
        self.mapping().bytes().store(self.item_at(writer.next()), item).ok_or(Damaged)?;
        Ok(Got::Done(protocol::commit(self, writer)?))
    }

    fn item_at(&self, item: i64) -> usize {
        self.layout.item(protocol::slot(self, item))
    }

    /// Nothing is published any more.
    ///
    /// # Errors
    /// `ERR_SHM_CORRUPT`, `ERR_SHM_CLOSED`
    pub fn end(&self) -> Result<()> {
        self.me()?;
        Ok(protocol::end(self)?)
    }

    // ---- readers

    /// Begins to read, at the `oldest` item that is there or at the next one that is published.
    ///
    /// # Errors
    /// `ERR_SHM_TOO_MANY`, `ERR_SHM_CORRUPT`, `ERR_SHM_CLOSED`.
    pub fn subscribe(&self, oldest: bool) -> Result<Reader> {
        let me = self.me()?;
        let reader = protocol::subscribe(self, me, oldest, |other| self.participant.is_dead(other, me))?;
        reader.ok_or_else(|| {
            let message = format!("{READERS} read this broadcast, which is as many as can");
            Error::own("ERR_SHM_TOO_MANY", message).about(self.name())
        })
    }

    /// Reads no more.
    ///
    /// # Errors
    /// `ERR_SHM_CORRUPT`, `ERR_SHM_CLOSED`
    pub fn unsubscribe(&self, reader: (u32, u32)) -> Result<()> {
        self.me()?;
        protocol::unsubscribe(self, reader)?;
        Ok(())
    }

    /// A copy of the reader's next item.
    ///
    /// # Errors
    /// As `try_next_with`.
    pub fn try_next(&self, reader: &mut Reader) -> Result<Got<Vec<u8>>> {
        let mut item = Vec::new();
        let got = self.try_next_with(reader, |at| {
            item = self.mapping().bytes().to_vec(at, self.layout.items.item())?;
            Some(())
        })?;
        Ok(match got {
            Got::Done(()) => Got::Done(item),
            Got::NotNow => Got::NotNow,
            Got::Ended => Got::Ended,
        })
    }

    /// Copies the reader's next item, by what is told where in the mapping it is and says `None` if it is not inside.
    /// What was copied is the item only where that is what comes of it: what is overwritten meanwhile is copied anew.
    ///
    /// # Errors
    /// `ERR_SHM_LOST` if the reader was taken for dead; `ERR_SHM_CORRUPT`, `ERR_SHM_CLOSED`.
    pub fn try_next_with(
        &self,
        reader: &mut Reader,
        mut copy: impl FnMut(usize) -> Option<()>,
    ) -> Result<Got<()>> {
        self.me()?;
        for _ in 0..TRIES {
            match protocol::next(self, reader)? {
                Ready::Item => {}
                Ready::Over => return Ok(Got::Ended),
                Ready::Nothing { .. } if protocol::is_known(self, reader.entry())? => return Ok(Got::NotNow),
                Ready::Nothing { .. } | Ready::Lapped(_) => return Err(self.forgotten()),
            }
            copy(self.item_at(reader.next())).ok_or(Damaged)?;
            if protocol::confirm(self, reader)? {
                return Ok(Got::Done(()));
            }
            if self.layout.blocks {
                return Err(self.forgotten());
            }
        }
        Ok(Got::NotNow)
    }

    /// How many items there are that the reader has not read.
    ///
    /// # Errors
    /// `ERR_SHM_CORRUPT`, `ERR_SHM_CLOSED`
    pub fn behind(&self, reader: &Reader) -> Result<u32> {
        Ok((self.published()? - reader.next()).clamp(0, i64::from(self.layout.items.slots)) as u32)
    }

    fn forgotten(&self) -> Error {
        let message = "the reader was believed to be dead, or somebody overwrote what it reads";
        Error::own("ERR_SHM_LOST", message).about(self.name())
    }

    // ---- both

    /// How many items were published, by all who were the writer.
    ///
    /// # Errors
    /// `ERR_SHM_CORRUPT`, `ERR_SHM_CLOSED`
    pub fn published(&self) -> Result<i64> {
        self.me()?;
        Ok(protocol::head(self)?)
    }

    /// How many read it. One that died counts until the writer has come across it.
    ///
    /// # Errors
    /// As `published`.
    pub fn subscribers(&self) -> Result<u32> {
        self.me()?;
        Ok(protocol::readers(self)?)
    }

    /// Whether `end` was called.
    ///
    /// # Errors
    /// As `published`.
    pub fn ended(&self) -> Result<bool> {
        self.me()?;
        Ok(protocol::has_ended(self)?)
    }

    /// Wakes all who wait at that side, for one who has changed something himself.
    ///
    /// # Errors
    /// `ERR_SHM_CORRUPT`
    pub fn notify(&self, side: Side) -> Result<()> {
        Ok(protocol::notify(self, side)?)
    }

    /// Takes its place from a reader that is dead, as its word was `seen`; whether it did.
    ///
    /// # Errors
    /// `ERR_SHM_CORRUPT`; else the system's.
    pub fn recover(&self, index: u32, seen: u32) -> Result<bool> {
        let Some(_one) = self.recovering.try_lock() else { return Ok(false) };
        let me = self.me()?; // which `leave` gives back before it comes here
        protocol::recover(self, (index, seen), |other| self.participant.is_dead(other, me))
    }

    /// Of a broadcast that has ended: where the writer is dead, nothing comes of what it has claimed; whether it is
    /// settled.
    ///
    /// # Errors
    /// As `recover`.
    pub fn settle(&self) -> Result<bool> {
        let Some(_one) = self.recovering.try_lock() else { return Ok(false) };
        let me = self.me()?;
        protocol::settle(self, me, |other| self.participant.is_dead(other, me))
    }
}

impl BroadcastMemory for SharedBroadcast {
    type Word = AtomicU32;

    fn slots(&self) -> u32 {
        self.layout.items.slots
    }

    fn blocks(&self) -> bool {
        self.layout.blocks
    }

    fn word(&self, field: Field) -> Option<&AtomicU32> {
        self.mapping().bytes().atomic(at(field))
    }

    fn count(&self, count: Count) -> Option<i64> {
        let word = self.mapping().bytes().atomic_word(self.layout.count(count)?)?;
        let value = f64::from_bits(word.load(Ordering::SeqCst));
        (value.fract() == 0.0 && value.abs() <= MOST as f64).then_some(value as i64)
    }

    fn put(&self, count: Count, value: i64) -> Option<()> {
        let word = self.mapping().bytes().atomic_word(self.layout.count(count)?)?;
        word.store((value as f64).to_bits(), Ordering::Release);
        Some(())
    }
}

impl Drop for SharedBroadcast {
    fn drop(&mut self) {
        self.leave();
    }
}
