//! What the integration tests share.

// Each test program uses a part of it.
#![allow(dead_code, missing_docs)]

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use proptest::prelude::*;
use shmkit::bytes::SharedBytes;
use shmkit::list::{Item, Layout, Needle, OwnedItem};
use shmkit::segment::{AttachOptions, CreateOptions, Name, Segment, unlink};

/// A name that nobody else has.
pub fn fresh_name() -> Name {
    static LAST: AtomicU32 = AtomicU32::new(0);
    let last = LAST.fetch_add(1, Ordering::Relaxed);
    Name::new(&format!("shmkit-rust-{}-{last}", std::process::id())).expect("a valid name")
}

/// A segment whose name goes with it, whatever happens to the test.
pub struct Scratch(pub Segment);

impl Scratch {
    pub fn new(size: usize) -> Self {
        let options = CreateOptions { name: Some(fresh_name()), ..CreateOptions::default() };
        Scratch(Segment::create(size, &options, &AtomicBool::new(false)).expect("create"))
    }

    pub fn bytes(&self) -> SharedBytes<'_> {
        bytes(&self.0)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = unlink(self.0.name(), self.0.id());
    }
}

pub fn attach(name: &Name) -> shmkit::Result<Segment> {
    Segment::attach(name, &AttachOptions::default())
}

pub fn bytes(segment: &Segment) -> SharedBytes<'_> {
    segment.mapping().expect("map").bytes()
}

/// An item with its own text or bytes, as proptest makes them.
pub fn any_item() -> impl Strategy<Value = OwnedItem> {
    let without_end_nul = |mut bytes: Vec<u8>| {
        while bytes.last() == Some(&0) {
            bytes.pop();
        }
        bytes
    };
    prop_oneof![
        any::<i64>().prop_map(OwnedItem::Int),
        (-3i64..3).prop_map(OwnedItem::Int),
        any::<f64>().prop_map(OwnedItem::Float),
        (-3i32..3).prop_map(|value| OwnedItem::Float(value.into())),
        any::<bool>().prop_map(OwnedItem::Bool),
        Just(OwnedItem::None),
        any::<String>().prop_map(move |text| OwnedItem::Str(without_end_nul(text.into_bytes()))),
        "[ab]{0,2}".prop_map(|text| OwnedItem::Str(text.into_bytes())),
        proptest::collection::vec(any::<u8>(), 0..40)
            .prop_map(move |bytes| OwnedItem::Bytes(without_end_nul(bytes))),
    ]
}

pub fn any_items() -> impl Strategy<Value = Vec<OwnedItem>> {
    proptest::collection::vec(any_item(), 0..12)
}

/// The item as it is handed to a new list.
pub fn as_item(item: &OwnedItem) -> Item<'_> {
    match item {
        OwnedItem::Int(value) => Item::Int(*value),
        OwnedItem::Float(value) => Item::Float(*value),
        OwnedItem::Bool(value) => Item::Bool(*value),
        OwnedItem::None => Item::None,
        OwnedItem::Str(text) => Item::Str(std::str::from_utf8(text).expect("made from text")),
        OwnedItem::Bytes(bytes) => Item::Bytes(bytes),
    }
}

/// The item as somebody looks for it.
pub fn as_needle(item: &OwnedItem) -> Needle<'_> {
    match item {
        OwnedItem::Int(value) => Needle::Int(*value),
        OwnedItem::Float(value) => Needle::Float(*value),
        OwnedItem::Bool(value) => Needle::Bool(*value),
        OwnedItem::None => Needle::None,
        OwnedItem::Str(text) => Needle::Str(text),
        OwnedItem::Bytes(bytes) => Needle::Bytes(bytes),
    }
}

/// A list of these items in private memory of whole words; the list may be a few bytes shorter.
pub fn write_list(items: &[OwnedItem]) -> (Layout, Vec<u64>) {
    let items: Vec<Item> = items.iter().map(as_item).collect();
    let layout = Layout::new(&items).expect("a layout");
    let mut words = vec![0; layout.size().div_ceil(8)];
    layout.write(SharedBytes::over(&mut words), &items).expect("write");
    (layout, words)
}

/// Equal bit by bit: NaN is itself, and 0 is not -0.
pub fn same(a: &OwnedItem, b: &OwnedItem) -> bool {
    match (a, b) {
        (OwnedItem::Float(a), OwnedItem::Float(b)) => a.to_bits() == b.to_bits(),
        _ => a == b,
    }
}
