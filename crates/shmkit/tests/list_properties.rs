//! The list's layout, with any items and any damage.

#![allow(clippy::expect_used)]

mod common;

use std::cmp::Ordering;

use common::{any_item, any_items, as_item, as_needle, same, write_list};
use proptest::prelude::*;
use shmkit::bytes::SharedBytes;
use shmkit::list::{Item, Layout, Needle, OwnedItem};

/// Whether Python would say that these two are equal; booleans equal booleans alone.
fn equal(a: &OwnedItem, b: &OwnedItem) -> bool {
    use OwnedItem::{Float, Int};
    match (a, b) {
        (Int(int), Float(float)) | (Float(float), Int(int)) => compare(*int, *float) == Some(Ordering::Equal),
        (Float(a), Float(b)) => a == b,
        _ => a == b,
    }
}

/// An integer against a float, exactly: by the float's whole part in 128 bits, and its fraction.
fn compare(int: i64, float: f64) -> Option<Ordering> {
    if float.is_nan() {
        return None;
    }
    let whole = float.trunc() as i128; // saturates far beyond any i64
    Some(i128::from(int).cmp(&whole).then(0.0.partial_cmp(&float.fract())?))
}

/// Reads everything that a list has. Nothing may panic; every answer is one.
fn read_all(bytes: SharedBytes<'_>) -> shmkit::Result<()> {
    let layout = Layout::read(bytes)?;
    assert!(layout.size() <= bytes.len(), "a list that is larger than its memory");
    assert!(layout.slots().is_sorted());
    for index in 0..layout.len() {
        let item = layout.get(bytes, index).expect("a list that was accepted can be read");
        let found = layout.position(bytes, &as_needle(&item), 0).expect("search");
        let is_nan = matches!(item, OwnedItem::Float(value) if value.is_nan());
        assert!(is_nan || found.is_some_and(|at| at <= index));
    }
    assert_eq!(layout.get(bytes, layout.len()).expect_err("outside").code, "ERR_OUT_OF_RANGE");
    layout.format(bytes).expect("formats that were accepted can be read");
    Ok(())
}

/// What is left when bytes at the given places are changed: refused as corrupt, or all of it is readable.
fn damage(words: &mut [u64], changes: &[(usize, u8)]) -> Result<(), TestCaseError> {
    let bytes = SharedBytes::over(words);
    for (at, mask) in changes {
        let at = at % bytes.len();
        let byte = bytes.load_byte(at).expect("inside");
        bytes.store_byte(at, byte ^ mask).expect("inside");
    }
    match read_all(bytes) {
        Ok(()) => Ok(()),
        Err(error) => {
            prop_assert_eq!(error.code, "ERR_SHM_CORRUPT");
            Ok(())
        }
    }
}

proptest! {
    #[test]
    fn any_items_come_back_as_they_were_written(items in any_items()) {
        let (written, mut words) = write_list(&items);
        let bytes = SharedBytes::over(&mut words);
        let layout = Layout::read(bytes).expect("a list that was just written");
        prop_assert_eq!(&layout, &written);
        prop_assert_eq!(layout.len(), items.len());
        for (index, item) in items.iter().enumerate() {
            let read = layout.get(bytes, index).expect("an item");
            prop_assert!(same(&read, item), "{:?} came back as {:?}", item, read);
        }
        let format: String = items.iter().map(|item| match as_item(item) {
            Item::Int(_) => "q".into(),
            Item::Float(_) => "d".into(),
            Item::Bool(_) => "xxxxxxx?".into(),
            Item::None => "xxxxxx?x".into(),
            sized => format!("{}s", sized.slot_len()),
        }).collect();
        prop_assert_eq!(layout.format(bytes).expect("formats"), format);
    }

    #[test]
    fn a_list_has_the_size_of_its_parts(items in any_items()) {
        let (layout, _) = write_list(&items);
        let data: usize = items.iter().map(|item| as_item(item).slot_len()).sum();
        prop_assert_eq!(layout.size(), 16 + 17 * items.len() + data);
        prop_assert!(items.iter().all(|item| as_item(item).slot_len().is_multiple_of(8)));
    }

    #[test]
    fn position_and_count_agree_with_a_plain_search(items in any_items(), other in any_item(), from in 0usize..14) {
        let (layout, mut words) = write_list(&items);
        let bytes = SharedBytes::over(&mut words);
        for needle in items.iter().chain([&other]) {
            let expected = items.iter().skip(from).position(|item| equal(item, needle)).map(|at| at + from);
            prop_assert_eq!(layout.position(bytes, &as_needle(needle), from).expect("search"), expected);
            let count = items.iter().filter(|item| equal(item, needle)).count();
            prop_assert_eq!(layout.count(bytes, &as_needle(needle)).expect("count"), count);
        }
    }

    #[test]
    fn nan_is_found_by_name_alone(items in any_items()) {
        let (layout, mut words) = write_list(&items);
        let bytes = SharedBytes::over(&mut words);
        let nans = items.iter().filter(|item| matches!(item, OwnedItem::Float(value) if value.is_nan())).count();
        prop_assert_eq!(layout.count(bytes, &Needle::Nan).expect("count"), nans);
        prop_assert_eq!(layout.count(bytes, &Needle::Float(f64::NAN)).expect("count"), 0);
    }

    #[test]
    fn a_list_is_read_from_larger_memory_too(items in any_items(), more in 0usize..100) {
        let (written, mut words) = write_list(&items);
        words.extend(std::iter::repeat_n(u64::MAX, more));
        prop_assert_eq!(Layout::read(SharedBytes::over(&mut words)).expect("a list"), written);
    }

    #[test]
    fn a_list_that_is_cut_short_is_refused(items in any_items(), keep in 0.0..1.0f64) {
        let (written, mut words) = write_list(&items);
        let kept = (words.len() as f64 * keep) as usize;
        prop_assume!(kept * 8 < written.size());
        let error = Layout::read(SharedBytes::over(&mut words[..kept])).expect_err("cut");
        prop_assert_eq!(error.code, "ERR_SHM_CORRUPT");
    }

    #[test]
    fn damage_to_counts_and_offsets_is_refused_or_harmless(
        items in any_items(),
        changes in proptest::collection::vec((0usize..1 << 20, 1u8..), 1..6),
    ) {
        let (_, mut words) = write_list(&items);
        // The formats are looked at for a while before they count as damaged: they have a test of their own.
        let header = 8 * (2 + items.len());
        let changes: Vec<_> = changes.into_iter().map(|(at, mask)| (at % header, mask)).collect();
        damage(&mut words, &changes)?;
    }

    #[test]
    fn what_was_read_once_never_leads_outside(
        items in any_items(),
        changes in proptest::collection::vec((0usize..1 << 20, 1u8..), 1..20),
        needle in any_item(),
    ) {
        let (layout, mut words) = write_list(&items);
        let bytes = SharedBytes::over(&mut words);
        for (at, mask) in changes {
            let at = at % bytes.len();
            let byte = bytes.load_byte(at).expect("inside");
            bytes.store_byte(at, byte ^ mask).expect("inside");
        }
        let harmless = |code: &str| matches!(code, "ERR_SHM_CORRUPT");
        for index in 0..layout.len() {
            prop_assert!(layout.get(bytes, index).err().is_none_or(|error| harmless(error.code)));
        }
        prop_assert!(layout.format(bytes).err().is_none_or(|error| harmless(error.code)));
        prop_assert!(layout.position(bytes, &as_needle(&needle), 0).is_ok());
        prop_assert!(layout.count(bytes, &as_needle(&needle)).is_ok());
    }

    #[test]
    fn a_layout_of_other_memory_is_refused_and_reads_nothing_outside(items in any_items(), kept in 0usize..20) {
        let (layout, mut words) = write_list(&items);
        let kept = kept.min(words.len());
        let small = SharedBytes::over(&mut words[..kept]);
        prop_assume!(kept * 8 < layout.size());
        for index in 0..layout.len() {
            if let Err(error) = layout.get(small, index) {
                prop_assert_eq!(error.code, "ERR_SHM_CORRUPT");
            }
        }
        let items: Vec<Item> = items.iter().map(as_item).collect();
        prop_assert!(layout.write(small, &items).is_err());
    }
}

proptest! {
    // A damaged format or code is looked at again for 20 ms.
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn damage_anywhere_is_refused_or_harmless(
        items in any_items(),
        changes in proptest::collection::vec((0usize..1 << 20, 1u8..), 1..6),
    ) {
        let (_, mut words) = write_list(&items);
        damage(&mut words, &changes)?;
    }
}

#[test]
fn numbers_are_compared_exactly_in_the_model_itself() {
    assert_eq!(compare(i64::MAX, 9_223_372_036_854_775_808.0), Some(Ordering::Less));
    assert_eq!(compare(i64::MIN, -9_223_372_036_854_775_808.0), Some(Ordering::Equal));
    assert_eq!(compare(1, 1.5), Some(Ordering::Less));
    assert_eq!(compare(-1, -1.5), Some(Ordering::Greater));
    assert_eq!(compare(0, -0.0), Some(Ordering::Equal));
    assert_eq!(compare(9_007_199_254_740_993, 9_007_199_254_740_992.0), Some(Ordering::Greater));
}

#[test]
fn text_that_no_slot_can_hold_is_refused() {
    let longest = "x".repeat(9_999_991);
    assert!(Layout::new(&[Item::Str(&longest)]).is_ok());
    let longer = longest + "x";
    assert_eq!(Layout::new(&[Item::Int(1), Item::Str(&longer)]).expect_err("too long").code, "ERR_SHM_VALUE");
}
