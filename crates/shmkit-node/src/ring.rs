//! What queues and broadcasts have in common: a handle that takes part in a ring of items.

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
use crate::ledger;
use crate::segment::{id_text, size_from};

type Outcome<T> = std::result::Result<T, shmkit::Error>;

/// A ring that is shared.
pub(crate) trait Ring {
    fn segment(&self) -> &Segment;
    fn mapping(&self) -> &Arc<Mapping>;
    fn items(&self) -> &Items;
    /// Of all of it, in bytes.
    fn size(&self) -> usize;
    /// Takes no part any more; where it `died`, without having been closed.
    fn leave(&self, died: bool);
}

impl Ring for SharedQueue {
    fn segment(&self) -> &Segment {
        self.segment()
    }

    fn mapping(&self) -> &Arc<Mapping> {
        self.mapping()
    }

    fn items(&self) -> &Items {
        &self.layout().items
    }

    fn size(&self) -> usize {
        self.layout().size()
    }

    fn leave(&self, died: bool) {
        self.leave(died);
    }
}

impl Ring for SharedBroadcast {
    fn segment(&self) -> &Segment {
        self.segment()
    }

    fn mapping(&self) -> &Arc<Mapping> {
        self.mapping()
    }

    fn items(&self) -> &Items {
        &self.layout().items
    }

    fn size(&self) -> usize {
        self.layout().size()
    }

    fn leave(&self, _died: bool) {
        self.leave();
    }
}

/// A ring, and what is known of it, until it is closed.
pub struct Open<R: Ring> {
    name: Name,
    id: Identity,
    ring: Option<Arc<R>>,
}

/// What a handle says of its ring.
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

/// What is to be in a ring.
#[napi(object)]
pub struct RingItems {
    /// Room for so many.
    pub slots: u32,
    /// The type of their elements.
    pub dtype: String,
    /// Their dimensions.
    pub shape: Vec<f64>,
}

impl RingItems {
    pub(crate) fn checked(self) -> Outcome<Items> {
        let shape = self.shape.into_iter().map(size_from).collect();
        Ok(Items { dtype: DType::parse(&self.dtype)?, slots: self.slots, shape })
    }
}

impl<R: Ring + 'static> Open<R> {
    pub(crate) fn handle(ring: R) -> External<Self> {
        let (name, id) = (ring.segment().name().clone(), ring.segment().id());
        External::new(Open { name, id, ring: Some(Arc::new(ring)) })
    }

    /// Does something with it, if it is open.
    pub(crate) fn with<T>(&self, env: &Env, operation: impl FnOnce(&Arc<R>) -> Outcome<T>) -> Result<T> {
        let open = self.ring.as_ref().ok_or_else(|| closed(self.name.as_str()));
        open.and_then(operation).map_err(|error| to_js(env, error.about(self.name.as_str())))
    }

    pub(crate) fn facts(&self, open: &R) -> RingFacts {
        let items = open.items();
        RingFacts {
            name: self.name.as_str().to_owned(),
            id: id_text(self.id),
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
        self.with(env, |open| buffers::array_buffer_of(env, open.mapping(), 0, open.size()))
    }

    /// Detaches `buffer`, gives back what this handle has of the ring, and lets go of the memory. Idempotent.
    pub(crate) fn close(&mut self, env: &Env, buffer: &Unknown<'_>) {
        let Some(open) = self.ring.take() else { return };
        open.leave(false);
        buffers::detach(env, buffer);
        open.mapping().zero_map();
    }

    pub(crate) fn unlink(&self, env: &Env) -> Result<()> {
        shmkit::ownership::unlink(&self.name, self.id).map_err(|error| to_js(env, error))
    }

    pub(crate) fn adopt(&self, env: &Env) -> Result<()> {
        self.with(env, |_| ledger::require()?.adopt(&self.name, self.id))
    }
}

impl<R: Ring> Drop for Open<R> {
    fn drop(&mut self) {
        // A thread that waits may hold on to it for a little longer; others must not wait for that.
        if let Some(ring) = &self.ring {
            ring.leave(true);
        }
    }
}
