//! Tests calls of a session in any order. Five claims hold (L1, R1, R3, G1-G4, F1, F2).
#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../../tests/it/choices.rs"]
mod choices;
#[path = "../../tests/it/session/orders/mod.rs"]
mod orders;

fuzz_target!(|bytes: &[u8]| orders::check(bytes));
