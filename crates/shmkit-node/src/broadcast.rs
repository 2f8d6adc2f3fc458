//! Broadcasts: what JavaScript cannot do itself, which is to sleep, to wake and to tell who is dead.

use std::time::Duration;

use napi::bindgen_prelude::*;
use napi_derive::napi;
use shmkit::ring::broadcast::protocol::{ACTIVE, Count, Field, Side};
use shmkit::ring::broadcast::{Awaited, ENTRY, Layout, READERS, SharedBroadcast, at, count_at};
use shmkit::segment::Name;
use shmkit::sync;
use shmkit::sync::word::wake_word;

use crate::channel::{ItemLayout, OpenChannel, RingFacts};
use crate::errors::to_js;
use crate::segment::{create_options, expected_id};
use crate::sync::WaiterThreadsHandle;

/// What JavaScript has to know of the words, as offsets in words of 4 bytes, of the counts, as offsets in counts of 8, and
/// as bits.
#[napi(object)]
pub struct BroadcastConstants {
    /// What readers sleep on.
    pub items: u32,
    /// What the writer sleeps on.
    pub room: u32,
    /// How often somebody began to read.
    pub epoch: u32,
    /// Whether it has ended.
    pub ended: u32,
    /// No reader has an entry from here on.
    pub used: u32,
    /// The first reader's entry.
    pub entries: u32,
    /// From entry to entry.
    pub entry_stride: u32,
    /// There are so many at most.
    pub readers: u32,
    /// Of an entry: somebody reads.
    pub active: u32,
    /// Of what is slept on: somebody sleeps.
    pub waiters: u32,
    /// A count: the next item to be published.
    pub head: u32,
    /// A count: the item that is being written, plus 1.
    pub claim: u32,
    /// A count: the first reader's next item.
    pub cursors: u32,
    /// From cursor to cursor.
    pub cursor_stride: u32,
    /// A count: the first slot's mark.
    pub marks: u32,
}

/// The same for all broadcasts.
#[napi]
pub fn broadcast_constants() -> BroadcastConstants {
    let word = |field| (at(field) / 4) as u32;
    let count = |count| (count_at(count) / 8) as u32;
    BroadcastConstants {
        items: word(Field::Items),
        room: word(Field::Room),
        epoch: word(Field::Epoch),
        ended: word(Field::Ended),
        used: word(Field::Used),
        entries: word(Field::Entry(0)),
        entry_stride: (ENTRY / 4) as u32,
        readers: READERS,
        active: ACTIVE,
        waiters: wake_word::WAITERS,
        head: count(Count::Head),
        claim: count(Count::Claim),
        cursors: count(Count::Cursor(0)),
        cursor_stride: (ENTRY / 8) as u32,
        marks: count(Count::Mark(0)),
    }
}

/// As a handle has it.
pub type NativeBroadcast = OpenChannel<SharedBroadcast>;

/// How JavaScript holds one.
#[napi]
pub type BroadcastHandle = External<NativeBroadcast>;

/// What is waited for: an item by its number, or room.
fn awaited(item: Option<f64>) -> Awaited {
    item.map_or(Awaited::Room, |item| Awaited::Item(item as i64))
}

/// Makes a broadcast. `attach`: or opens the one of that name, which may have another layout.
#[napi]
pub fn create_broadcast(
    env: Env,
    items: ItemLayout,
    blocks: bool,
    name: Option<String>,
    mode: u32,
    populate: bool,
    track: bool,
    attach: bool,
) -> Result<BroadcastHandle> {
    let create = || {
        let layout = Layout { blocks, items: items.checked()? };
        let open = if attach { SharedBroadcast::create_or_attach } else { SharedBroadcast::create };
        open(&layout, &create_options(name, mode, true, populate, track)?)
    };
    create().map(OpenChannel::handle).map_err(|error| to_js(&env, error))
}

/// Opens a broadcast, or only the one of that `id`.
#[napi]
pub fn attach_broadcast(
    env: Env,
    name: String,
    foreign: bool,
    id: Option<String>,
) -> Result<BroadcastHandle> {
    let attach = || {
        let expect = expected_id(id)?;
        SharedBroadcast::attach(&Name::new(&name)?, foreign, expect)
    };
    attach().map(OpenChannel::handle).map_err(|error| to_js(&env, error))
}

/// What a handle says of its broadcast.
#[napi(object)]
pub struct BroadcastFacts {
    /// The ring.
    pub ring: RingFacts,
    /// Whether the writer waits for the slowest reader.
    pub blocks: bool,
}

/// Of an open broadcast.
#[napi]
pub fn broadcast_facts(env: Env, broadcast: &BroadcastHandle) -> Result<BroadcastFacts> {
    broadcast
        .with(&env, |open| Ok(BroadcastFacts { ring: broadcast.facts(open), blocks: open.layout().blocks }))
}

/// A new buffer over all of it.
#[napi(ts_return_type = "ArrayBuffer")]
pub fn broadcast_buffer<'env>(env: &'env Env, broadcast: &BroadcastHandle) -> Result<Unknown<'env>> {
    broadcast.buffer(env)
}

/// Is the one who publishes from now on; the number of the next item.
#[napi]
pub fn broadcast_enlist(env: Env, broadcast: &BroadcastHandle) -> Result<f64> {
    broadcast.with(&env, |open| Ok(open.enlist()?.next() as f64))
}

/// A place in the stream of items.
#[napi(object)]
pub struct BroadcastReader {
    /// Which entry it has.
    pub index: u32,
    /// What the entry's word is as long as it has it.
    pub seen: u32,
    /// The number of its next item.
    pub next: f64,
}

/// Begins to read, at the `oldest` item that is there or at the next one that is published.
#[napi]
pub fn broadcast_subscribe(env: Env, broadcast: &BroadcastHandle, oldest: bool) -> Result<BroadcastReader> {
    broadcast.with(&env, |open| {
        let reader = open.subscribe(oldest)?;
        let (index, seen) = reader.entry();
        Ok(BroadcastReader { index, seen, next: reader.next() as f64 })
    })
}

/// Reads no more.
#[napi]
pub fn broadcast_unsubscribe(env: Env, broadcast: &BroadcastHandle, index: u32, seen: u32) -> Result<()> {
    broadcast.with(&env, |open| open.unsubscribe((index, seen)))
}

/// Wakes all who wait for items, or for room, for one who has changed something.
#[napi]
pub fn broadcast_notify(env: Env, broadcast: &BroadcastHandle, items: bool) -> Result<()> {
    let side = if items { Side::Items } else { Side::Room };
    broadcast.with(&env, |open| open.notify(side))
}

/// Takes its entry from a reader, as its word was `seen`, if that one is dead; whether it did.
#[napi]
pub fn broadcast_recover(env: Env, broadcast: &BroadcastHandle, index: u32, seen: u32) -> Result<bool> {
    broadcast.with(&env, |open| open.recover(index, seen))
}

/// Of one that has ended: if the writer is dead nothing comes of what it has claimed; whether that is settled.
#[napi]
pub fn broadcast_settle(env: Env, broadcast: &BroadcastHandle) -> Result<bool> {
    broadcast.with(&env, |open| open.settle())
}

/// Nothing is published any more.
#[napi]
pub fn broadcast_end(env: Env, broadcast: &BroadcastHandle) -> Result<()> {
    broadcast.with(&env, |open| open.end())
}

/// Sleeps until there may be that item, or room for one, for `milliseconds` at most; whether there may be.
#[napi]
pub fn broadcast_wait(
    env: Env,
    broadcast: &BroadcastHandle,
    item: Option<f64>,
    milliseconds: f64,
) -> Result<bool> {
    let time = Duration::from_secs_f64(milliseconds.clamp(0.0, 1e6) / 1e3);
    broadcast.with(&env, |open| Ok(sync::sleep(&mut open.wait(awaited(item)), time)?.is_some()))
}

/// Waits for the same elsewhere.
#[napi]
pub fn start_broadcast_wait(
    env: Env,
    threads: &mut WaiterThreadsHandle,
    id: u32,
    broadcast: &BroadcastHandle,
    item: Option<f64>,
) -> Result<()> {
    broadcast.with(&env, |open| threads.start(id, open.wait(awaited(item))))
}

/// Detaches `buffer`, gives back what this handle has, and lets go of the memory. Idempotent.
#[napi(ts_args_type = "broadcast: ExternalObject<NativeBroadcast>, buffer: ArrayBuffer")]
pub fn close_broadcast(env: Env, broadcast: &mut BroadcastHandle, buffer: Unknown<'_>) {
    broadcast.close(&env, &buffer);
}
