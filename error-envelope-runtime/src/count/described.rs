use metrics::{Unit, describe_counter, describe_gauge, describe_histogram, gauge};

/// Describes what the library counts to the recorder that is installed, and puts its gauges to 0, so that they are there
/// before anything happens. Call it once, after the recorder was installed; without it everything is counted as well.
///
/// | metric | kind | labels |
/// |---|---|---|
/// | `error_envelope_errors_total` | counter | `code`, `status`, `would_be_status`, `origin`, `route`, `mode`, `dialect` |
/// | `error_envelope_unread_errors_total` | counter | `reason`: `too_long`, `too_late` or `broke_off` (R4); `route` |
/// | `error_envelope_error_read_seconds` | histogram | |
/// | `error_envelope_policy_reloads_total` | counter | `outcome`: `taken` or `refused` |
/// | `error_envelope_policy_refused` | gauge | |
/// | `error_envelope_key_set_fetches_total` | counter | `outcome`: `taken` or `failed` |
/// | `error_envelope_kill_switch_total` | counter | `to`: `off` or `policy` |
/// | `error_envelope_kill_switch_thrown` | gauge | |
///
/// - Each error is counted once, as it is logged (L1); one that was abandoned by its client has the origin `abandoned`.
///   `dialect` is the shape that an inner error was read in: those that have one were rewritten, or would be in `observe`.
///   A label that does not apply is `none`.
/// - Labels are bounded: a route is its pattern, never a path; a code that is neither the catalogue's nor the policy's is
///   `foreign`.
/// - An error is timed from its head to its body's end, where its body was not there at once: most are.
/// - The gauges are 1 or 0: whether what the policy's files say now is refused, and whether a kill switch is thrown. Where a
///   process has several policies or switches, each says what the last one did.
pub fn describe() {
    describe_counter!(
        "error_envelope_errors_total",
        "Errors that clients received, or would receive in mode enforce; each is counted once."
    );
    describe_counter!(
        "error_envelope_unread_errors_total",
        "Errors classified by status alone, since the body was too long, too late or cut off."
    );
    describe_histogram!(
        "error_envelope_error_read_seconds",
        Unit::Seconds,
        "Time from an error's response head to the end of its body, for bodies that arrive after the head."
    );
    describe_counter!("error_envelope_policy_reloads_total", "Policy reloads, by outcome: taken or refused.");
    describe_gauge!(
        "error_envelope_policy_refused",
        "1 while the policy files on disk are rejected and the old policy stays active, else 0."
    );
    describe_counter!(
        "error_envelope_key_set_fetches_total",
        "Fetches of key sets by jwks_url, by outcome: taken or failed."
    );
    describe_counter!("error_envelope_kill_switch_total", "Times the kill switch was turned on or off.");
    describe_gauge!(
        "error_envelope_kill_switch_thrown",
        "1 while the kill switch puts every route in mode off, else 0."
    );
    for name in ["error_envelope_policy_refused", "error_envelope_kill_switch_thrown"] {
        gauge!(name).set(0.0);
    }
}
