//! One target under libFuzzer: the one that `ZONECAST_FUZZ` names. `cargo xtask fuzz` builds
//! and starts it; the arguments are libFuzzer's own.

#![no_main]
#![forbid(unsafe_code)]

use std::sync::LazyLock;

use libfuzzer_sys::Corpus;
use zonecast_fuzz::Target;

static TARGET: LazyLock<Target> = LazyLock::new(|| {
    let name = std::env::var("ZONECAST_FUZZ").expect("ZONECAST_FUZZ names a target");
    zonecast_fuzz::target(&name).expect("a target of this name")
});

libfuzzer_sys::fuzz_target!(|data: &[u8]| -> Corpus {
    if data.len() > TARGET.bytes_max {
        return Corpus::Reject;
    }
    (TARGET.run)(data);
    Corpus::Keep
});
