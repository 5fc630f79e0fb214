//! Tests any body. Without its secrets, the rest of it is text, and JSON if the body was JSON (R17).
#![no_main]

use error_envelope_core::redact;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some(left) = redact::body(data) else { return };
    let is_json = |body: &[u8]| serde_json::from_slice::<&serde_json::value::RawValue>(body).is_ok();
    assert!(std::str::from_utf8(&left).is_ok());
    assert!(!is_json(data) || is_json(&left), "{}", String::from_utf8_lossy(&left));
});
