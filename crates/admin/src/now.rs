//! `/now.json`: what is wrong now, and the counts of the last hour.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use error_envelope_core::policy::UpstreamUrl;
use error_envelope_runtime::{PolicyRejection, PolicyStatus};
use serde_json::{Value, json};

use crate::admin::Outage;
use crate::admin_request::AdminRequest;
use crate::answer::{self, Answer};
use crate::error_store::error_record::{Severity, rfc3339, time};
use crate::error_store::store;
use crate::error_store::timeline::{CLASSES, MINUTE_MS, MINUTES, Place, Timeline, last_minutes};
use crate::process;

/// How many minutes count as now: enough to show a rate, and so few that the rate drops soon after the cause has ended.
const NOW_MINUTES: u32 = 15;
/// How many minutes count as recent: what happens now is above what has ended.
const RECENT_MINUTES: u32 = 2;
/// A certificate that ends within this many days is urgent, as in the alert on certificates.
const URGENT_DAYS: u64 = 7;
const SOON_DAYS: u64 = 21;
const DAY_MS: u64 = 24 * 60 * MINUTE_MS;

/// The requests of each place, by class of status.
type Totals = HashMap<Place, [u64; CLASSES.len()]>;

pub(crate) fn show(request: &AdminRequest<'_>) -> Answer {
    let (admin, shared) = (request.admin, &request.admin.shared);
    // A new policy clears counts: before they are locked.
    let status = shared.policy_status();
    let metrics = admin.look_at_counters();
    let (requests, recent, at) = (shared.store.requests(), shared.store.recent(), store::now());
    let (now, hour) = (last_minutes(at, NOW_MINUTES), last_minutes(at, MINUTES));
    let (totals, services) = (requests.totals(&now), &recent.services);
    let affected = |severity| affected(&recent.timeline, severity, at);
    let recently = requests.totals(&last_minutes(at, RECENT_MINUTES));
    let failing = with_unread(affected(Severity::Fault), totals.as_ref(), recently.as_ref());
    let failing = with_cut_off(failing, affected(Severity::CutOff));
    let (refusing, would_refuse) = (affected(Severity::Refusal), affected(Severity::WouldRefuse));
    let by_class = requests.by_class(&hour);
    let counts = if by_class.is_some() { "requests" } else { "errors" };
    let by_class = by_class.unwrap_or_else(|| recent.timeline.by_class(&hour));
    let changes = if admin.is_read_only() {
        "refused"
    } else if admin.token.is_some() {
        "token"
    } else {
        "open"
    };
    answer::json(&json!({
        "process": admin.name.as_deref(),
        "version": env!("CARGO_PKG_VERSION"),
        "since": rfc3339(shared.store.since),
        "at": rfc3339(at),
        "policy": status.as_ref().map(|it| it.policy().summary().origin()),
        "shows_bodies": status.as_ref().map(|it| it.policy().summary().observes_bodies()),
        "kill_switch": process::describe_switch(&shared.switch),
        "changes": changes,
        "problems": problems(&shared.outages(), status.as_ref(), metrics.as_deref(), at),
        "minutes": NOW_MINUTES,
        "failing": described(failing, totals.as_ref(), services),
        "refusing": described(refusing, totals.as_ref(), services),
        "would_refuse": described(would_refuse, totals.as_ref(), services),
        "hour": {
            "counts": counts,
            "begin": rfc3339(u64::from(hour.start) * MINUTE_MS),
            "classes": CLASSES.into_iter().zip(by_class).map(|(class, counts)| (class.to_owned(), json!(counts))).collect::<serde_json::Map<_, _>>(),
        },
    }))
}

/// A place whose requests fail or are refused.
#[derive(Default)]
struct Affected {
    count: u64,
    /// Those of this minute and the one before.
    recent: u64,
    /// Each code with its count, and whether its responses were cut off.
    codes: Vec<(String, u64, bool)>,
}

fn affected(timeline: &Timeline, severity: Severity, at: u64) -> BTreeMap<Place, Affected> {
    let mut places: BTreeMap<Place, Affected> = BTreeMap::new();
    for (place, code, count) in timeline.totals_of(severity, &last_minutes(at, NOW_MINUTES)) {
        let it = places.entry(place).or_default();
        it.count += count;
        it.codes.push((code, count, severity == Severity::CutOff));
    }
    for (place, _, count) in timeline.totals_of(severity, &last_minutes(at, RECENT_MINUTES)) {
        places.entry(place).or_default().recent += count;
    }
    places
}

/// The places that fail, also by the counters of requests: these count the 5xx that the policy lets pass, too, but no
/// error of a gRPC call.
fn with_unread(
    mut seen: BTreeMap<Place, Affected>,
    totals: Option<&Totals>,
    recently: Option<&Totals>,
) -> BTreeMap<Place, Affected> {
    let Some((totals, recently)) = totals.zip(recently) else { return seen };
    let failed = |totals: &[u64; CLASSES.len()]| totals[CLASSES.len() - 1];
    for (place, totals) in totals.iter().filter(|(_, totals)| failed(totals) > 0) {
        let it = seen.entry(place.clone()).or_default();
        it.count = it.count.max(failed(totals));
        it.recent = it.recent.max(recently.get(place).map_or(0, failed));
    }
    seen
}

/// Adds the responses that were cut off: no counter shows them as failures.
fn with_cut_off(
    mut failing: BTreeMap<Place, Affected>,
    cut_off: BTreeMap<Place, Affected>,
) -> BTreeMap<Place, Affected> {
    for (place, more) in cut_off {
        let it = failing.entry(place).or_default();
        (it.count, it.recent) = (it.count + more.count, it.recent + more.recent);
        it.codes.extend(more.codes);
    }
    failing
}

/// The places as JSON: first those with most in this minute and the one before.
fn described(
    places: BTreeMap<Place, Affected>,
    totals: Option<&Totals>,
    services: &HashMap<Place, UpstreamUrl>,
) -> Vec<Value> {
    let mut places: Vec<_> = places.into_iter().collect();
    places.sort_by_key(|(_, it)| Reverse((it.recent, it.count)));
    let describe = |(place, mut it): (Place, Affected)| {
        it.codes.sort_by_key(|(_, count, _)| Reverse(*count));
        let code = |(code, count, cut_off): &_| json!({"code": code, "count": count, "cut_off": cut_off});
        json!({
            "route": place.route.as_deref(),
            "scope": place.scope.as_deref(),
            "service": services.get(&place).map(ToString::to_string),
            "count": it.count,
            "recent": it.recent,
            "requests": totals.map(|totals| totals.get(&place).map_or(0, |totals| totals.iter().sum::<u64>())),
            "codes": it.codes.iter().map(code).collect::<Vec<_>>(),
        })
    };
    places.into_iter().map(describe).collect()
}

fn problems(outages: &[Outage], policy: Option<&PolicyStatus>, metrics: Option<&str>, at: u64) -> Vec<Value> {
    let refused = policy.and_then(PolicyStatus::rejection).filter(|it| it.is_current()).map(policy_refused);
    let key_sets = policy.map(key_sets).unwrap_or_default();
    let certificates = certificates(metrics.unwrap_or_default(), at);
    outages.iter().map(unreachable).chain(refused).chain(key_sets).chain(certificates).collect()
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
    let since = time(rejection.since());
    let text = format!("Since {since}; the old policy stays active. {}", rejection.why());
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

fn certificates(metrics: &str, now: u64) -> Vec<Value> {
    let value = |name: &str| {
        let values =
            metrics.lines().filter_map(|line| line.strip_prefix(name)?.rsplit(' ').next()?.parse::<f64>().ok());
        values.reduce(f64::min)
    };
    let refused = value("error_envelope_certificate_refused").filter(|value| *value > 0.0).map(|_| {
        problem(true, "The new certificate was rejected", "The old one stays active. The log has the reason.")
    });
    let ends = value("error_envelope_certificate_not_after_timestamp_seconds").and_then(|at| certificate_ends(at, now));
    refused.into_iter().chain(ends).collect()
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a time in seconds is a whole number")]
fn certificate_ends(at_seconds: f64, now: u64) -> Option<Value> {
    let at = at_seconds as u64 * 1000;
    let days = at.saturating_sub(now) / DAY_MS;
    let what = if at <= now { "The certificate has expired" } else { "The certificate expires soon" };
    let text = format!("At {}. Renew it, and replace the certificate and key files.", rfc3339(at));
    (days < SOON_DAYS).then(|| problem(days < URGENT_DAYS, what, &text))
}
