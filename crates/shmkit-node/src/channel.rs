//! What queues and broadcasts have in common: a handle with a number, and a ring of slots.

use std::sync::Arc;

use napi::bindgen_prelude::*;
use napi_derive::napi;
use shmkit::array::DType;
use shmkit::ring::broadcast::SharedBroadcast;
use shmkit::ring::items::Items;
use shmkit::ring::queue::SharedQueue;
use shmkit::segment::{Identity, Mapping, Name, Segment};

use crate::buffers;
use crate::errors::{closed, to_js};
use crate::segment::size_from;

type Outcome<T> = std::result::Result<T, shmkit::Error>;

/// What a queue or a broadcast consists of: its segment with the mapping, its items, and its size in bytes.
type Parts<'a> = (&'a Segment, &'a Arc<Mapping>, &'a Items, usize);

/// A queue or a broadcast.
pub(crate) trait Channel {
    fn parts(&self) -> Parts<'_>;
    /// Takes no part any more; where it `died`, without having been closed.
    fn leave(&self, died: bool);
}

impl Channel for SharedQueue {
    fn parts(&self) -> Parts<'_> {
        (self.segment(), self.mapping(), &self.layout().items, self.layout().size())
    }

    fn leave(&self, died: bool) {
        self.leave(died);
    }
}

impl Channel for SharedBroadcast {
    fn parts(&self) -> Parts<'_> {
        (self.segment(), self.mapping(), &self.layout().items, self.layout().size())
    }

    fn leave(&self, _died: bool) {
        self.leave();
    }
}

/// A queue or a broadcast until it is closed, and what is known of it.
pub struct OpenChannel<C: Channel> {
    name: Name,
    id: Identity,
    channel: Option<Arc<C>>,
}

/// The ring of a queue or a broadcast.
#[napi(object)]
pub struct RingFacts {
    /// Its name.
    pub name: String,
    /// What tells it from others that had its name.
    pub id: String,
    /// How many slots there are.
    pub slots: u32,
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

/// The items of a new queue or broadcast.
#[napi(object)]
pub struct ItemLayout {
    /// Number of slots.
    pub slots: u32,
    /// The type of their elements.
    pub dtype: String,
    /// Their dimensions.
    pub shape: Vec<f64>,
}

impl ItemLayout {
    pub(crate) fn checked(self) -> Outcome<Items> {
        let shape = self.shape.into_iter().map(size_from).collect();
        Ok(Items { dtype: DType::parse(&self.dtype)?, slots: self.slots, shape })
    }
}

impl<C: Channel + 'static> OpenChannel<C> {
    pub(crate) fn handle(channel: C) -> External<Self> {
        let (segment, ..) = channel.parts();
        let (name, id) = (segment.name().clone(), segment.id());
        External::new(OpenChannel { name, id, channel: Some(Arc::new(channel)) })
    }

    /// Does something with it, if it is open.
    pub(crate) fn with<T>(&self, env: &Env, operation: impl FnOnce(&Arc<C>) -> Outcome<T>) -> Result<T> {
        let open = self.channel.as_ref().ok_or_else(|| closed(self.name.as_str()));
        open.and_then(operation).map_err(|error| to_js(env, error.about(self.name.as_str())))
    }

    pub(crate) fn facts(&self, open: &C) -> RingFacts {
        let (_, _, items, _) = open.parts();
        RingFacts {
            name: self.name.as_str().to_owned(),
            id: self.id.to_string(),
            slots: items.slots,
            stride: items.stride() as f64,
            item_at: items.item_at() as u32,
            elements: items.elements() as f64,
            dtype: items.dtype.name().to_owned(),
            shape: items.shape.iter().map(|one| *one as f64).collect(),
        }
    }

    /// A new buffer over all of it.
    pub(crate) fn buffer<'env>(&self, env: &'env Env) -> Result<Unknown<'env>> {
        self.with(env, |open| {
            let (_, mapping, _, size) = open.parts();
            buffers::array_buffer_of(env, mapping, 0, size)
        })
    }

    /// Detaches `buffer`, gives back the slots that this handle holds, and frees the memory. Idempotent.
    pub(crate) fn close(&mut self, env: &Env, buffer: &Unknown<'_>) {
        let Some(open) = self.channel.take() else { return };
        open.leave(false);
        buffers::detach(env, buffer);
        let (_, mapping, ..) = open.parts();
        mapping.zero_map();
    }
}

impl<C: Channel> Drop for OpenChannel<C> {
    fn drop(&mut self) {
        // A thread that waits may hold on to it for a little longer; others must not wait for that.
        if let Some(channel) = &self.channel {
            channel.leave(true);
        }
    }
}
