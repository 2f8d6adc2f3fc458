//! Any bytes at all as a list: refused as corrupt, or each item is read or refused, inside its memory.
#![no_main]

use libfuzzer_sys::fuzz_target;
use shmkit::bytes::SharedBytes;
use shmkit::list::{Layout, Needle};

fuzz_target!(|data: &[u8]| {
    // A heap buffer of exactly this size: the sanitizer sees any look beyond it.
    let mut words = vec![0u64; data.len().div_ceil(8)];
    let bytes = SharedBytes::over(&mut words);
    bytes.store(0, data).expect("the words hold the data");
    match Layout::read(bytes) {
        Err(error) => assert_eq!(error.code, "ERR_SHM_CORRUPT"),
        Ok(layout) => {
            assert!(layout.size() <= bytes.len());
            for index in 0..layout.len() {
                // A format and a code that do not go together spoil that item alone.
                if let Err(error) = layout.get(bytes, index) {
                    assert_eq!(error.code, "ERR_SHM_CORRUPT");
                }
            }
            layout.format(bytes).expect("so can the formats");
            for needle in [Needle::Int(0), Needle::Nan, Needle::None, Needle::Str(b"a"), Needle::Bytes(b"")] {
                let first = layout.position(bytes, &needle, 0).expect("search");
                let count = layout.count(bytes, &needle).expect("count");
                assert_eq!(first.is_some(), count > 0);
            }
        }
    }
});
