//! Any text behind a framework's words, and any body of a 400 or 422: an envelope comes out, without what was quoted (R13).
#![no_main]

use libfuzzer_sys::fuzz_target;

#[allow(dead_code)]
#[path = "../../tests/it/words/told.rs"]
mod told;

// The first byte says what the second chooses of: a sentence for a value, a sentence that goes on, a status for a body.
fuzz_target!(|data: &[u8]| {
    let [what, chosen, rest @ ..] = data else { return };
    match (what % 4, std::str::from_utf8(rest)) {
        (0, Ok(value)) => told::check_quoted(*chosen, value),
        (1, Ok(text)) => told::check_begun(*chosen, text),
        (2, _) => told::check(*chosen, "text/plain", rest),
        _ => told::check(*chosen, "application/json", rest),
    }
});
