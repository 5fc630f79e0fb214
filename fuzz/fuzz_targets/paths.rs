//! Tests any policy and any request that bytes can choose. No spelling of a path bypasses a closed route (G0).
#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../../tests/it/choices.rs"]
mod choices;
#[path = "../../tests/it/routes/slips/mod.rs"]
mod slips;

fuzz_target!(|bytes: &[u8]| {
    slips::check(bytes);
    slips::check_respelt(bytes);
});
