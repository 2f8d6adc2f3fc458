//! Queues: what JavaScript cannot do itself, which is to sleep, to wake and to tell who is dead.

use std::sync::Arc;
use std::time::Duration;

use napi::bindgen_prelude::*;
use napi_derive::napi;
use shmkit::array::DType;
use shmkit::items::Items;
use shmkit::queue::ring::{self, Field, Shape, Side};
use shmkit::queue::{Layout, SLOTS, SharedQueue, at};
use shmkit::segment::{Identity, Name};
use shmkit::sync;

use crate::buffers;
use crate::errors::{closed, to_js};
use crate::ledger;
use crate::segment::{create_options, identity_from, size_from};
use crate::sync::SleepersHandle;

type Outcome<T> = std::result::Result<T, shmkit::Error>;

/// What JavaScript has to know of the words, as offsets in words and as bits.
#[napi(object)]
pub struct QueueConstants {
    /// The next to be claimed.
    pub tail: u32,
    /// The next to be taken.
    pub head: u32,
    /// Whether it has ended.
    pub ended: u32,
    /// What consumers sleep on.
    pub items: u32,
    /// What producers sleep on.
    pub room: u32,
    /// How many claims were lost.
    pub lost: u32,
    /// The first slot.
    pub slots: u32,
    /// Of what is slept on: somebody sleeps.
    pub waiters: u32,
    /// Of a slot: its lap is from this bit on.
    pub lap_at: u32,
    /// Of a slot: its owner is from this bit on.
    pub owner_at: u32,
    /// States of a slot; free is 0.
    pub claimed: u32,
    /// There is an item.
    pub full: u32,
    /// Somebody reads it.
    pub taken: u32,
    /// Nothing came of it.
    pub skip: u32,
}

/// The same for all queues.
#[napi]
pub fn queue_constants() -> QueueConstants {
    let word = |field| (at(field) / 4) as u32;
    QueueConstants {
        tail: word(Field::Tail),
        head: word(Field::Head),
        ended: word(Field::Ended),
        items: word(Field::Items),
        room: word(Field::Room),
        lost: word(Field::Lost),
        slots: (SLOTS / 4) as u32,
        waiters: ring::WAITERS,
        lap_at: ring::LAP_AT,
        owner_at: ring::OWNER_AT,
        claimed: ring::CLAIMED,
        full: ring::FULL,
        taken: ring::TAKEN,
        skip: ring::SKIP,
    }
}

/// A queue, and what is known of it, until it is closed.
pub struct NativeQueue {
    name: Name,
    id: Identity,
    queue: Option<Arc<SharedQueue>>,
}

/// How JavaScript holds one.
#[napi]
pub type QueueHandle = External<NativeQueue>;

impl NativeQueue {
    fn handle(queue: SharedQueue) -> QueueHandle {
        let (name, id) = (queue.segment().name().clone(), queue.segment().id());
        External::new(NativeQueue { name, id, queue: Some(Arc::new(queue)) })
    }

    fn open(&self) -> Outcome<&Arc<SharedQueue>> {
        self.queue.as_ref().ok_or_else(|| closed(self.name.as_str()))
    }

    fn about(&self, error: shmkit::Error) -> shmkit::Error {
        error.about(self.name.as_str())
    }
}

impl Drop for NativeQueue {
    fn drop(&mut self) {
        // A thread that waits may hold on to it for a little longer; others must not wait for that.
        if let Some(queue) = &self.queue {
            queue.leave(true);
        }
    }
}

fn side(items: bool) -> Side {
    if items { Side::Items } else { Side::Room }
}

/// Makes a queue.
#[napi]
pub fn create_queue(
    env: Env,
    slots: u32,
    dtype: String,
    shape: Vec<f64>,
    single: bool,
    name: Option<String>,
    mode: u32,
    populate: bool,
    track: bool,
) -> Result<QueueHandle> {
    let create = || {
        let dtype = DType::parse(&dtype)?;
        let items = Items { dtype, slots, shape: shape.into_iter().map(size_from).collect() };
        let layout = Layout { single, items };
        SharedQueue::create(&layout, &create_options(name, mode, true, populate, track)?)
    };
    create().map(NativeQueue::handle).map_err(|error| to_js(&env, error))
}

/// Opens a queue, or only the one of that `id`.
#[napi]
pub fn attach_queue(env: Env, name: String, foreign: bool, id: Option<String>) -> Result<QueueHandle> {
    let attach = || {
        let expect = id.as_deref().map(identity_from).transpose()?;
        SharedQueue::attach(&Name::new(&name)?, foreign, expect)
    };
    attach().map(NativeQueue::handle).map_err(|error| to_js(&env, error))
}

/// What a handle says of its queue.
#[napi(object)]
pub struct QueueFacts {
    /// Its name.
    pub name: String,
    /// What tells it from others that had its name.
    pub id: String,
    /// The number of this handle.
    pub me: u32,
    /// Whether there is one producer and one consumer.
    pub single: bool,
    /// How many slots there are.
    pub slots: u32,
    /// Bits of a position that say which of them it is.
    pub index_bits: u32,
    /// Of a lap, what a slot can say.
    pub lap_mask: u32,
    /// From slot to slot, in bytes.
    pub stride: f64,
    /// Where in its slot an item is, in bytes.
    pub item_at: u32,
    /// Elements of an item.
    pub elements: f64,
    /// Their type.
    pub dtype: String,
    /// Of an item.
    pub shape: Vec<f64>,
}

/// Of an open queue.
#[napi]
pub fn queue_facts(env: Env, queue: &QueueHandle) -> Result<QueueFacts> {
    let facts = || {
        let open = queue.open()?;
        let items = &open.layout().items;
        let ring = Shape::new(items.slots);
        Ok(QueueFacts {
            name: queue.name.as_str().to_owned(),
            id: format!("{}:{}", queue.id.device, queue.id.inode),
            me: open.me()?,
            single: open.layout().single,
            slots: items.slots,
            index_bits: ring.bits(),
            lap_mask: ring.lap_mask(),
            stride: items.stride() as f64,
            item_at: items.item_at() as u32,
            elements: items.elements() as f64,
            dtype: items.dtype.name().to_owned(),
            shape: items.shape.iter().map(|one| *one as f64).collect(),
        })
    };
    facts().map_err(|error| to_js(&env, queue.about(error)))
}

/// A new buffer over all of it.
#[napi(ts_return_type = "ArrayBuffer")]
pub fn queue_buffer<'env>(env: &'env Env, queue: &QueueHandle) -> Result<Unknown<'env>> {
    let buffer = || {
        let open = queue.open()?;
        buffers::array_buffer_of(env, open.mapping(), 0, open.layout().size())
    };
    buffer().map_err(|error| to_js(env, queue.about(error)))
}

/// Of a queue for one producer and one consumer: is that one from now on.
#[napi]
pub fn queue_enlist(env: Env, queue: &QueueHandle, items: bool) -> Result<()> {
    let enlist = || queue.open()?.enlist(side(items));
    enlist().map_err(|error| to_js(&env, queue.about(error)))
}

/// Wakes one who waits at that side, for one who has changed something.
#[napi]
pub fn queue_notify(env: Env, queue: &QueueHandle, items: bool) -> Result<()> {
    let notify = || queue.open()?.notify(side(items));
    notify().map_err(|error| to_js(&env, queue.about(error)))
}

/// Hands a wake-up on to those who wait at that side, if there is anything to be had.
#[napi]
pub fn queue_pass_on(env: Env, queue: &QueueHandle, items: bool) -> Result<()> {
    let pass_on = || queue.open()?.pass_on(side(items));
    pass_on().map_err(|error| to_js(&env, queue.about(error)))
}

/// Takes a slot from its owner, as its word was `seen`, if that one is dead; whether it did.
#[napi]
pub fn queue_recover(env: Env, queue: &QueueHandle, index: u32, seen: u32) -> Result<bool> {
    let recover = || queue.open()?.recover(index, seen);
    recover().map_err(|error| to_js(&env, queue.about(error)))
}

/// Nothing is pushed any more.
#[napi]
pub fn queue_end(env: Env, queue: &QueueHandle) -> Result<()> {
    let end = || queue.open()?.end();
    end().map_err(|error| to_js(&env, queue.about(error)))
}

/// Sleeps until there may be an item, or room for one, for `milliseconds` at most; whether there may be.
#[napi]
pub fn queue_wait(env: Env, queue: &QueueHandle, items: bool, milliseconds: f64) -> Result<bool> {
    let time = Duration::from_secs_f64(milliseconds.clamp(0.0, 1e6) / 1e3);
    let wait = || sync::sleep(&mut queue.open()?.wait(side(items)), time);
    wait().map(|outcome| outcome.is_some()).map_err(|error| to_js(&env, queue.about(error)))
}

/// Waits for the same elsewhere.
#[napi]
pub fn start_queue_wait(
    env: Env,
    sleepers: &mut SleepersHandle,
    id: u32,
    queue: &QueueHandle,
    items: bool,
) -> Result<()> {
    let mut start = || sleepers.start(id, queue.open()?.wait(side(items)));
    start().map_err(|error| to_js(&env, queue.about(error)))
}

/// Detaches `buffer`, gives back what this handle has of the ring, and lets go of the memory. Idempotent.
#[napi(ts_args_type = "queue: ExternalObject<NativeQueue>, buffer: ArrayBuffer")]
pub fn close_queue(env: Env, queue: &mut QueueHandle, buffer: Unknown<'_>) {
    let Some(open) = queue.queue.take() else { return };
    open.leave(false);
    buffers::detach(&env, &buffer);
    open.mapping().blank();
}

/// Removes its name.
#[napi]
pub fn unlink_queue(env: Env, queue: &QueueHandle) -> Result<()> {
    shmkit::ledger::unlink(&queue.name, queue.id).map_err(|error| to_js(&env, error))
}

/// Makes this process an owner.
#[napi]
pub fn adopt_queue(env: Env, queue: &QueueHandle) -> Result<()> {
    let adopt = || {
        queue.open()?;
        ledger::require()?.adopt(&queue.name, queue.id)
    };
    adopt().map_err(|error| to_js(&env, queue.about(error)))
}
