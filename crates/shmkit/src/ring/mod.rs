//! Bounded rings of items of one size, between processes: a [`queue`], whose items are each taken once, and a
//! [`broadcast`], whose items every reader reads.
//!
//! [`items`] is what the two share of their bytes, `participant` what they share of their handles.

pub mod broadcast;
pub mod items;
pub(crate) mod participant;
pub mod queue;
