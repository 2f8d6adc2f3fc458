//! Any bytes at all on a manager's wire, from strangers and from friends, to a server and to a client.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;

#[path = "../../tests/common/wire.rs"]
mod wire;

static ENDS: LazyLock<wire::Ends> = LazyLock::new(wire::Ends::new);

fuzz_target!(|data: &[u8]| wire::exercise(&ENDS, data));
