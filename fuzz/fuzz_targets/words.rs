//! Tests any text after a framework's words, and any body of a 400 or 422. The result is an envelope, without the
//! quoted values (R13).
#![no_main]

use libfuzzer_sys::fuzz_target;

#[allow(dead_code)]
#[path = "../../tests/it/words/checks.rs"]
mod checks;

// The first byte decides what the second byte chooses: a sentence for a value, a sentence that continues, or a status
// for a body.
fuzz_target!(|data: &[u8]| {
    let [what, chosen, rest @ ..] = data else { return };
    match (what % 4, std::str::from_utf8(rest)) {
        (0, Ok(value)) => checks::check_quoted(*chosen, value),
        (1, Ok(text)) => checks::check_begun(*chosen, text),
        (2, _) => checks::check(*chosen, "text/plain", rest),
        _ => checks::check(*chosen, "application/json", rest),
    }
});
