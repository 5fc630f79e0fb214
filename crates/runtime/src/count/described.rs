use metrics::{Unit, describe_counter, describe_gauge, describe_histogram, gauge};

use super::requests::{DURATION, HEAD, RECEIVED, REQUESTS, SENT};

/// Describes the library's metrics to the installed recorder, and sets the library's gauges to 0, so that they exist
/// before any event. Call this function once, after the recorder was installed. Metrics are also counted without this
/// call.
///
/// | metric | kind | labels |
/// |---|---|---|
/// | `error_envelope_requests_total` | counter | `route`, `method`, `scope`, `status_class`, `outcome`, `grpc_status` |
/// | `error_envelope_response_head_seconds` | histogram | `route`, `method`, `scope`, `status_class` |
/// | `error_envelope_request_duration_seconds` | histogram | `route`, `method`, `scope`, `status_class` |
/// | `error_envelope_request_body_bytes_total` | counter | `route`, `method`, `scope` |
/// | `error_envelope_response_body_bytes_total` | counter | `route`, `method`, `scope` |
/// | `error_envelope_errors_total` | counter | `code`, `status`, `grpc_status`, `would_be_code`, `would_be_status`, `origin`, `route`, `scope`, `mode`, `dialect` |
/// | `error_envelope_would_refuse_total` | counter | `code`, `route`, `scope` |
/// | `error_envelope_unread_errors_total` | counter | `reason`: `too_long`, `too_late`, `broke_off` or `not_shown` (R4); `route`, `scope` |
/// | `error_envelope_broken_bodies_total` | counter | `route`, `scope` |
/// | `error_envelope_error_read_seconds` | histogram | |
/// | `error_envelope_policy_reloads_total` | counter | `outcome`: `taken` or `refused` |
/// | `error_envelope_policy_refused` | gauge | |
/// | `error_envelope_policy_info` | gauge | `hash` |
/// | `error_envelope_key_set_fetches_total` | counter | `outcome`: `taken` or `failed` |
/// | `error_envelope_kill_switch_total` | counter | `to`: `on` or `off` |
/// | `error_envelope_kill_switch_thrown` | gauge | |
/// | `error_envelope_build_info` | gauge | `version` |
///
/// - If no recorder is installed, nothing is counted or timed. A recorder that is installed later counts only requests
///   that begin after its installation.
/// - A request, its times and its bytes are counted when its record is closed (L5): at the end of the response, or when
///   the client has left. If no head was sent, the status class is `none`. `method` is a method of RFC 9110, `PATCH` or
///   `other`. `outcome` is `ok`, `client_error`, `server_error`, `broken` or `client_left`. It is `unknown` if an
///   adapter cannot observe the end. `grpc_status` is `0` to `16`, `other` or `none`.
/// - Each error is counted once, when it is logged (L1). If the client left before the response ended, the origin is
///   `abandoned`. `dialect` is the shape of an inner error that was rewritten. In mode `observe`, it is the shape of an
///   inner error that mode `enforce` would rewrite. A label that does not apply is `none`.
/// - The number of different labels is limited. `route` is the framework's pattern (axum's `MatchedPath`), or else the
///   policy's pattern, but never a path. `scope` consists of the scope's first host and its prefix. The label of a code
///   outside the catalogue and the policy is `foreign`.
/// - `error_envelope_error_read_seconds` is the time from the head of an error to the end of its body. It is measured
///   only if the body did not come together with the head.
/// - `error_envelope_policy_info` is 1 for the active policy. `hash` is the hash of the policy's files
///   ([`PolicySummary::hash`]), or `none` for a policy without a file. The series of an earlier policy remains, with
///   the value 0.
/// - The other gauges are 0 or 1. `error_envelope_policy_refused` is 1 while the current content of the policy's files
///   is refused. `error_envelope_kill_switch_thrown` is 1 while a kill switch is on. If a process has several policies
///   or switches, each gauge shows the last change of any of them.
///
/// [`PolicySummary::hash`]: error_envelope_core::policy::PolicySummary::hash
pub fn describe() {
    describe_counter!(
        "error_envelope_errors_total",
        "Requests that failed, or would fail in mode enforce or without auth_observe, and requests whose client left; each \
         is counted once."
    );
    describe_counter!(
        "error_envelope_would_refuse_total",
        "Requests that an observing guard would have refused, by the code of the refusal."
    );
    describe_counter!(
        "error_envelope_unread_errors_total",
        "Errors whose body was not read, since it was too long, too late or cut off, or since Envoy did not pass it to ext-proc."
    );
    describe_counter!(
        "error_envelope_broken_bodies_total",
        "Response bodies that broke off after their head was sent."
    );
    describe_histogram!(
        "error_envelope_error_read_seconds",
        Unit::Seconds,
        "Time from an error's response head to the end of its body. Bodies that come together with the head are not measured."
    );
    describe_counter!("error_envelope_policy_reloads_total", "Policy reloads, by outcome: taken or refused.");
    describe_gauge!(
        "error_envelope_policy_refused",
        "1 while the policy files on disk are rejected and the old policy stays active, else 0."
    );
    describe_counter!(
        "error_envelope_key_set_fetches_total",
        "Fetches of key sets from a jwks_url, by outcome: taken or failed."
    );
    describe_counter!("error_envelope_kill_switch_total", "Times the kill switch was turned on or off.");
    describe_gauge!(
        "error_envelope_kill_switch_thrown",
        "1 while the kill switch puts every route in mode off, else 0."
    );
    for name in ["error_envelope_policy_refused", "error_envelope_kill_switch_thrown"] {
        gauge!(name).set(0.0);
    }
    super::policy::describe();
    describe_requests();
    describe_gauge!("error_envelope_build_info", "Always 1; the version is a label.");
    gauge!("error_envelope_build_info", "version" => env!("CARGO_PKG_VERSION")).set(1.0);
}

fn describe_requests() {
    describe_counter!(
        REQUESTS,
        "Requests, by their outcome and the class of their status; `none` if no head was sent."
    );
    describe_histogram!(HEAD, Unit::Seconds, "Time from a request's head to its response's head.");
    describe_histogram!(
        DURATION,
        Unit::Seconds,
        "Time from a request's head to the end of its response; in ext-proc, to the last part of it that Envoy shows."
    );
    describe_counter!(
        RECEIVED,
        Unit::Bytes,
        "Bytes of request bodies that were read until the response ended; 0 in ext-proc, which does not count them."
    );
    describe_counter!(
        SENT,
        Unit::Bytes,
        "Bytes of response bodies that the server took; 0 in ext-proc, which does not count them."
    );
}
