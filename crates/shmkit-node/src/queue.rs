//! Queues: what JavaScript cannot do itself, which is to sleep, to wake and to tell who is dead.

use std::time::Duration;

use napi::bindgen_prelude::*;
use napi_derive::napi;
use shmkit::ring::queue::protocol::{self, Field, Shape, Side};
use shmkit::ring::queue::{Layout, SLOTS, SharedQueue, at};
use shmkit::segment::Name;
use shmkit::sync;

use crate::channel::{ItemLayout, OpenChannel, RingFacts};
use crate::errors::to_js;
use crate::segment::{create_options, expected_id};
use crate::sync::WaiterThreadsHandle;

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
        waiters: protocol::WAITERS,
        lap_at: protocol::LAP_AT,
        owner_at: protocol::OWNER_AT,
        claimed: protocol::CLAIMED,
        full: protocol::FULL,
        taken: protocol::TAKEN,
        skip: protocol::SKIP,
    }
}

/// As a handle has it.
pub type NativeQueue = OpenChannel<SharedQueue>;

/// How JavaScript holds one.
#[napi]
pub type QueueHandle = External<NativeQueue>;

fn side(items: bool) -> Side {
    if items { Side::Items } else { Side::Room }
}

/// Makes a queue. `attach`: or opens the one of that name, which may have another layout.
#[napi]
pub fn create_queue(
    env: Env,
    items: ItemLayout,
    single: bool,
    name: Option<String>,
    mode: u32,
    populate: bool,
    track: bool,
    attach: bool,
) -> Result<QueueHandle> {
    let create = || {
        let layout = Layout { single, items: items.checked()? };
        let open = if attach { SharedQueue::create_or_attach } else { SharedQueue::create };
        open(&layout, &create_options(name, mode, true, populate, track)?)
    };
    create().map(OpenChannel::handle).map_err(|error| to_js(&env, error))
}

/// Opens a queue, or only the one of that `id`.
#[napi]
pub fn attach_queue(env: Env, name: String, foreign: bool, id: Option<String>) -> Result<QueueHandle> {
    let attach = || {
        let expect = expected_id(id)?;
        SharedQueue::attach(&Name::new(&name)?, foreign, expect)
    };
    attach().map(OpenChannel::handle).map_err(|error| to_js(&env, error))
}

/// What a handle says of its queue.
#[napi(object)]
pub struct QueueFacts {
    /// The ring.
    pub ring: RingFacts,
    /// The number of this handle.
    pub me: u32,
    /// Whether there is one producer and one consumer.
    pub single: bool,
    /// Bits of a position that say which of its slots it is.
    pub index_bits: u32,
    /// Of a lap, what a slot can say.
    pub lap_mask: u32,
}

/// Of an open queue.
#[napi]
pub fn queue_facts(env: Env, queue: &QueueHandle) -> Result<QueueFacts> {
    queue.with(&env, |open| {
        let layout = open.layout();
        let shape = Shape::new(layout.items.slots);
        Ok(QueueFacts {
            ring: queue.facts(open),
            me: open.me()?,
            single: layout.single,
            index_bits: shape.bits(),
            lap_mask: shape.lap_mask(),
        })
    })
}

/// A new buffer over all of it.
#[napi(ts_return_type = "ArrayBuffer")]
pub fn queue_buffer<'env>(env: &'env Env, queue: &QueueHandle) -> Result<Unknown<'env>> {
    queue.buffer(env)
}

/// Of a queue for one producer and one consumer: is that one from now on.
#[napi]
pub fn queue_enlist(env: Env, queue: &QueueHandle, items: bool) -> Result<()> {
    queue.with(&env, |open| open.enlist(side(items)))
}

/// Wakes one who waits at that side, for one who has changed something.
#[napi]
pub fn queue_notify(env: Env, queue: &QueueHandle, items: bool) -> Result<()> {
    queue.with(&env, |open| open.notify(side(items)))
}

/// Hands a wake-up on to those who wait at that side, if there is anything to be had.
#[napi]
pub fn queue_pass_on(env: Env, queue: &QueueHandle, items: bool) -> Result<()> {
    queue.with(&env, |open| open.pass_on(side(items)))
}

/// Takes a slot from its owner, as its word was `seen`, if that one is dead; whether it did.
#[napi]
pub fn queue_recover(env: Env, queue: &QueueHandle, index: u32, seen: u32) -> Result<bool> {
    queue.with(&env, |open| open.recover(index, seen))
}

/// Who has a slot.
#[napi(object)]
pub struct QueueHolder {
    /// The process, in its own PID namespace; 0 if that is not known.
    pub pid: u32,
    /// Whether it is dead: the next one who comes across the slot gets it.
    pub died: bool,
}

/// Who has the number that a slot's word says.
#[napi]
pub fn queue_holder(env: Env, queue: &QueueHandle, number: u32) -> Result<QueueHolder> {
    queue.with(&env, |open| {
        let (pid, lives) = open.holder(number)?;
        Ok(QueueHolder { pid: pid.unwrap_or(0), died: !lives })
    })
}

/// Nothing is pushed any more.
#[napi]
pub fn queue_end(env: Env, queue: &QueueHandle) -> Result<()> {
    queue.with(&env, |open| open.end())
}

/// Sleeps until there may be an item, or room for one, for `milliseconds` at most; whether there may be.
#[napi]
pub fn queue_wait(env: Env, queue: &QueueHandle, items: bool, milliseconds: f64) -> Result<bool> {
    let time = Duration::from_secs_f64(milliseconds.clamp(0.0, 1e6) / 1e3);
    queue.with(&env, |open| Ok(sync::sleep(&mut open.wait(side(items)), time)?.is_some()))
}

/// Waits for the same elsewhere.
#[napi]
pub fn start_queue_wait(
    env: Env,
    threads: &mut WaiterThreadsHandle,
    id: u32,
    queue: &QueueHandle,
    items: bool,
) -> Result<()> {
    queue.with(&env, |open| threads.start(id, open.wait(side(items))))
}

/// Detaches `buffer`, gives back the slots that this handle holds, and frees the memory. Idempotent.
#[napi(ts_args_type = "queue: ExternalObject<NativeQueue>, buffer: ArrayBuffer")]
pub fn close_queue(env: Env, queue: &mut QueueHandle, buffer: Unknown<'_>) {
    queue.close(&env, &buffer);
}
