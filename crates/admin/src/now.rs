//! `/now.json`: what is wrong now, and the counts of the last hour.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::SystemTime;

use error_envelope_core::session::Outcome;
use error_envelope_runtime::{PolicyRejection, PolicyStatus};
use serde_json::{Map, Value, json};

use crate::admin::{Admin, CertificateStatus, Outage, Shared};
use crate::admin_request::AdminRequest;
use crate::answer::{self, Answer};
use crate::error_store::error_record::{Severity, milliseconds, rfc3339, time};
use crate::error_store::place::Place;
use crate::error_store::requests::Requests;
use crate::error_store::store;
use crate::error_store::timeline::{MINUTE_MS, MINUTES, Timeline, last_minutes};
use crate::process;

/// The number of minutes that `now` includes. They are enough to show a rate of errors, and so few that the rate drops
/// soon after the cause of the errors has ended.
const NOW_MINUTES: u32 = 15;
/// The number of minutes that are treated as recent. Places with recent errors are listed above those whose errors have
/// ended.
const RECENT_MINUTES: u32 = 2;
/// A certificate that expires within this number of days is a danger on the page. The alert for certificates uses the
/// same time.
const URGENT_DAYS: u64 = 7;
const SOON_DAYS: u64 = 21;
const DAY_MS: u64 = 24 * 60 * MINUTE_MS;

pub(crate) fn show(request: &AdminRequest<'_>) -> Answer {
    let (admin, shared) = (request.admin, &request.admin.shared);
    // Reading the policy's status may activate a new policy, which clears counts. So this is done before the counts are
    // locked.
    let (status, at) = (shared.policy_status(), store::now());
    let problems = problems(shared, status.as_ref(), at);
    let (requests, recent) = (shared.store.requests(), shared.store.recent());
    let of = |severities: &[Severity]| affected(&recent.timeline, severities, &requests, at);
    let hour = last_minutes(at, MINUTES);
    let outcomes = Outcome::VALUES.iter().map(|outcome| outcome.as_str().to_owned());
    let outcomes: Map<_, _> = outcomes.zip(requests.by_outcome(&hour).map(Value::from)).collect();
    answer::json(&json!({
        "process": admin.name.as_deref(),
        "version": env!("CARGO_PKG_VERSION"),
        "since": rfc3339(shared.store.since),
        "at": rfc3339(at),
        "policy": status.as_ref().map(|it| it.policy.summary().origin()),
        "shows_bodies": status.as_ref().map(|it| it.policy.summary().observes_bodies()),
        "kill_switch": process::describe_switch(&shared.store.switch),
        "changes": changes(admin),
        "problems": problems,
        "minutes": NOW_MINUTES,
        "failing": of(&[Severity::ServerError, Severity::Broken]),
        "refusing": of(&[Severity::Refusal]),
        "would_refuse": of(&[Severity::WouldRefuse]),
        "hour": {"begin": rfc3339(u64::from(hour.start) * MINUTE_MS), "outcomes": outcomes},
    }))
}

/// Returns a text for the page: whether this address allows changes of the kill switch, and whether they need a token.
fn changes(admin: &Admin) -> &'static str {
    match admin.token {
        _ if admin.is_read_only() => "refused",
        Some(_) => "token",
        None => "open",
    }
}

/// The counts of a place whose requests fail or are refused.
#[derive(Default)]
struct Affected {
    count: u64,
    /// The number of failed or refused requests in this minute and the previous minute.
    recent: u64,
    /// Each code with its count and its outcome.
    codes: Vec<(String, u64, Option<&'static str>)>,
}

/// Returns as JSON the places with errors of these severities. The places with the most errors in this minute and the
/// previous minute come first.
fn affected(timeline: &Timeline, severities: &[Severity], requests: &Requests, at: u64) -> Vec<Value> {
    let (now, recently) = (last_minutes(at, NOW_MINUTES), last_minutes(at, RECENT_MINUTES));
    let mut places: BTreeMap<Place, Affected> = BTreeMap::new();
    for severity in severities {
        for (place, code, count) in timeline.totals_of(*severity, &now) {
            let it = places.entry(place).or_default();
            it.count += count;
            it.codes.push((code, count, severity.outcome().map(Outcome::as_str)));
        }
        for (place, _, count) in timeline.totals_of(*severity, &recently) {
            places.entry(place).or_default().recent += count;
        }
    }
    let mut places: Vec<_> = places.into_iter().collect();
    places.sort_by_key(|(_, it)| Reverse((it.recent, it.count)));
    let describe = |(place, mut it): (Place, Affected)| {
        it.codes.sort_by_key(|(_, count, _)| Reverse(*count));
        let code = |(code, count, outcome): &_| json!({"code": code, "count": count, "outcome": outcome});
        let row = requests.of_place(&place);
        // If a guard refused the request, the service was not called (L5).
        let is_called = severities != [Severity::Refusal];
        let service = row.and_then(|row| row.service.as_ref()).filter(|_| is_called);
        json!({
            "route": place.route.as_deref(),
            "scope": place.scope.as_deref(),
            "service": service.map(ToString::to_string),
            "count": it.count,
            "recent": it.recent,
            "requests": row.map(|row| row.sum_of(&now)),
            "codes": it.codes.iter().map(code).collect::<Vec<_>>(),
        })
    };
    places.into_iter().map(describe).collect()
}

fn problems(shared: &Shared, policy: Option<&PolicyStatus>, at: u64) -> Vec<Value> {
    let refused = policy.and_then(|it| it.rejection.as_ref()).filter(|it| it.is_current).map(policy_refused);
    let key_sets = policy.map(key_sets).unwrap_or_default();
    let certificates = shared.certificates();
    let certificates = certificates.iter().flat_map(|certificate| certificate_problems(certificate, at));
    shared.outages().iter().map(unreachable).chain(refused).chain(key_sets).chain(certificates).collect()
}

fn unreachable(Outage { service, since, last, reason, requests }: &Outage) -> Value {
    let failed = if *requests == 1 { "1 request has".to_owned() } else { format!("{requests} requests have") };
    let (since, last) = (time(*since), time(*last));
    let text = format!("Since {since}, {failed} failed, the last one at {last}. Its reason: {reason}");
    problem(true, &format!("The service {service} cannot be reached"), &text)
}

fn problem(is_danger: bool, what: &str, text: &str) -> Value {
    json!({"level": if is_danger { "danger" } else { "warning" }, "what": what, "text": text})
}

fn policy_refused(rejection: &PolicyRejection) -> Value {
    let since = time(rejection.since);
    let text = format!("Since {since}; the old policy stays active. {}", rejection.why);
    problem(true, "The new policy was rejected", &text)
}

fn key_sets(policy: &PolicyStatus) -> Vec<Value> {
    let missing = policy.missing_key_sets();
    let describe = |(url, why): (&str, Arc<str>)| {
        let is_missing = missing.contains(&url);
        let effect =
            if is_missing { "Requests that need it get 503." } else { "The keys of the last fetch stay active." };
        problem(is_missing, &format!("The key set at {url} cannot be fetched"), &format!("{effect} {why}"))
    };
    policy.failing_key_sets().into_iter().map(describe).collect()
}

fn certificate_problems(CertificateStatus { files, not_after, rejection }: &CertificateStatus, now: u64) -> Vec<Value> {
    let refused = rejection
        .as_ref()
        .map(|why| problem(true, "The new certificate was rejected", &format!("The old one stays active. {why}")));
    let ends = not_after.and_then(|at| certificate_ends(files, at, now));
    refused.into_iter().chain(ends).collect()
}

fn certificate_ends(files: &str, at: SystemTime, now: u64) -> Option<Value> {
    let at = milliseconds(at);
    let days = at.saturating_sub(now) / DAY_MS;
    let what = if at <= now { "The certificate has expired" } else { "The certificate expires soon" };
    let text = format!("At {}. Renew it, and replace its files: {files}", rfc3339(at));
    (days < SOON_DAYS).then(|| problem(days < URGENT_DAYS, what, &text))
}
