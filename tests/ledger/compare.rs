//! Compares each number and each statement of the views with the ledger, and lists the false ones.

use std::collections::{BTreeMap, HashMap};

use serde_json::Value;

use super::entry::Entry;
use super::plan::{AnswerEnd, Kind, Upload};
use super::views::{Views, text};

/// Returns all statements of the views that the ledger contradicts.
pub(crate) fn falsehoods(ledger: &[Entry], views: &Views) -> Vec<String> {
    let mut check = Check { ledger, views, twins: twins(ledger), found: Vec::new() };
    check.ids();
    check.access();
    check.lines();
    check.requests();
    check.errors();
    check.bodies();
    check.admin();
    check.readiness();
    check.finds();
    check.found
}

struct Check<'l> {
    ledger: &'l [Entry],
    views: &'l Views,
    /// The result of the same request in each mode, by mode and kind.
    twins: HashMap<(&'static str, &'static str), &'l Entry>,
    found: Vec<String>,
}

fn twins(ledger: &[Entry]) -> HashMap<(&'static str, &'static str), &Entry> {
    ledger.iter().filter(|entry| !entry.is_switched).map(|entry| ((entry.mode, entry.kind.name), entry)).collect()
}

/// Counts each key.
fn tally<K: Ord>(keys: impl Iterator<Item = K>) -> BTreeMap<K, i64> {
    let mut counts = BTreeMap::new();
    keys.for_each(|key| *counts.entry(key).or_default() += 1);
    counts
}

impl<'l> Check<'l> {
    fn report(&mut self, what: impl Into<String>) {
        self.found.push(what.into());
    }

    fn same(&mut self, of: &str, field: &str, stated: &str, seen: &str) {
        if stated != seen {
            self.report(format!("{of}: {field} is {stated}, and was {seen}"));
        }
    }

    fn same_counts<K: Ord + std::fmt::Debug>(
        &mut self,
        view: &str,
        stated: &BTreeMap<K, i64>,
        seen: &BTreeMap<K, i64>,
    ) {
        let none = 0;
        for key in stated.keys().chain(seen.keys().filter(|key| !stated.contains_key(key))) {
            let (stated, seen) = (stated.get(key).unwrap_or(&none), seen.get(key).unwrap_or(&none));
            if stated != seen {
                self.report(format!("{view}: {stated} of {key:?}, and there were {seen}"));
            }
        }
    }

    fn twin(&self, entry: &Entry, mode: &'static str) -> Option<&'l Entry> {
        self.twins.get(&(mode, entry.kind.name)).copied()
    }

    /// Returns true if a stricter guard would have refused the request, as its twin in mode `own` shows. The service
    /// was not called then.
    fn would_be_refused(&self, entry: &Entry) -> bool {
        let is_observed = entry.effective() == "observe" && self.twin(entry, "own").is_some_and(Entry::is_refused);
        entry.is_called()
            && !entry.is_refused()
            && (is_observed || entry.kind.place == "watched" && !entry.kind.has_key())
    }

    /// Returns true if the log has a line about the request (L1, L5).
    fn has_line(&self, entry: &Entry) -> bool {
        let is_inner = entry.is_called() && matches!(entry.outcome(), "client_error" | "server_error");
        if entry.effective() == "off" && is_inner && !entry.is_unanswered() && !self.would_be_refused(entry) {
            return false;
        }
        entry.outcome() != "ok" || self.would_be_refused(entry)
    }

    /// Returns true if nobody but the client and the service could see how the request ended.
    fn is_out_of_sight(&self, entry: &Entry) -> bool {
        // While a head waits for the processor, a body that breaks off becomes a 502 of Envoy.
        let is_whole = !matches!(entry.kind.answer.end, AnswerEnd::Cut | AnswerEnd::Stalls);
        self.views.is_blind && (matches!(entry.outcome(), "client_left" | "broken") || !is_whole)
    }

    /// Checks that each request had one id, and no two had the same.
    fn ids(&mut self) {
        for entry in self.ledger {
            let (got, served) = (super::wire::value(&entry.got.headers, "x-request-id"), entry.served.id.as_deref());
            if let (Some(got), Some(served)) = (got, served)
                && got != served
            {
                self.report(format!("{}: the client has the id {got}, the service {served}", entry.name()));
            }
            if entry.id().is_none() && !(entry.kind.upload == Upload::BadChunk) {
                self.report(format!("{}: nobody saw an id", entry.name()));
            }
        }
    }

    fn by_id(lines: &'l [Value]) -> HashMap<&'l str, Vec<&'l Value>> {
        let mut by_id = HashMap::<_, Vec<_>>::new();
        lines
            .iter()
            .for_each(|line| by_id.entry(line["request_id"].as_str().unwrap_or_default()).or_default().push(line));
        by_id
    }

    fn access(&mut self) {
        let Some(access) = &self.views.access else { return };
        if access.len() != self.ledger.len() {
            self.report(format!("the access log has {} lines of {} requests", access.len(), self.ledger.len()));
        }
        let by_id = Self::by_id(access);
        for entry in self.ledger {
            let of = format!("access log, {}", entry.name());
            let Some(id) = entry.id() else { continue };
            let lines = by_id.get(id).map(Vec::as_slice).unwrap_or_default();
            let [line] = lines else {
                self.report(format!("{of}: {} lines", lines.len()));
                continue;
            };
            self.same(&of, "method", &text(&line["method"]), entry.kind.method);
            self.same(&of, "path", &text(&line["path"]), &entry.path);
            self.same(&of, "route", &text(&line["route"]), &entry.route());
            self.same(&of, "outcome", &text(&line["outcome"]), entry.outcome());
            self.delivered(&of, line, entry, "complete");
            let body = entry.got.body.len() as u64;
            let stated = line["response_bytes"].as_u64().unwrap_or(0);
            if stated != body && (!entry.got.has_left || stated < body) {
                self.report(format!("{of}: {stated} bytes were sent, and {body} came"));
            }
            let received = line["request_bytes"].as_u64().unwrap_or(0);
            let is_read = entry.is_called() && !entry.is_refused() && entry.served.calls == 1;
            let is_unfinished = matches!(entry.kind.upload, Upload::Unfinished(_));
            if received != entry.served.received && is_read && !is_unfinished {
                self.report(format!("{of}: {received} bytes were read, and {} came", entry.served.received));
            }
        }
    }

    /// Checks what each view of one request states about its delivery.
    fn delivered(&mut self, of: &str, line: &Value, entry: &Entry, complete: &str) {
        self.same(of, "status", &text(&line["status"]), &entry.status());
        let end = match entry.outcome() {
            _ if self.views.is_blind => "unknown",
            "client_left" => "client_left",
            "broken" => "service_broke_off",
            _ if entry.is_malformed() => "malformed",
            _ => complete,
        };
        self.same(of, "end", &text(&line["end"]), end);
        if !entry.got.has_left && !entry.is_broken() {
            self.same(of, "grpc_status", &text(&line["grpc_status"]), &entry.grpc());
        }
        let upstream = line["upstream"].is_string();
        if self.views.access.is_some() && upstream != entry.is_called() {
            self.report(format!("{of}: it names a service: {upstream}, and one was called: {}", entry.is_called()));
        }
        // A code in the head of a service's error that is not read is not the layer's.
        if let Some(code) = entry.code() {
            self.same(of, "code", &text(&line["code"]), code);
        } else if entry.got.status.is_some_and(|status| status < 400) && !entry.is_broken() && entry.grpc_is_fine() {
            self.same(of, "code", &text(&line["code"]), "none");
        }
    }

    fn lines(&mut self) {
        let by_id = Self::by_id(&self.views.lines);
        let known: HashMap<&str, &Entry> = self.ledger.iter().filter_map(|it| Some((it.id()?, it))).collect();
        for id in by_id.keys().filter(|id| !known.contains_key(*id)) {
            if !self.ledger.iter().any(|entry| entry.id().is_none()) {
                self.report(format!("log: a line about {id}, which nobody saw"));
            }
        }
        for entry in self.ledger {
            let of = format!("log, {}", entry.name());
            let Some(id) = entry.id() else { continue };
            let lines = by_id.get(id).map(Vec::as_slice).unwrap_or_default();
            let expected = usize::from(self.has_line(entry));
            if lines.len() != expected && !self.is_out_of_sight(entry) {
                self.report(format!("{of}: {} lines for {expected}: {lines:?}", lines.len()));
            }
            let [line] = lines else { continue };
            self.same(&of, "route", &text(&line["route"]), &entry.route());
            self.same(&of, "method", &text(&line["method"]), entry.kind.method);
            self.same(&of, "mode", &text(&line["mode"]), entry.mode);
            self.same(&of, "kill_switch", &text(&line["kill_switch"]), if entry.is_switched { "true" } else { "none" });
            if self.is_out_of_sight(entry) {
                self.same(&of, "end", &text(&line["end"]), "unknown");
                continue;
            }
            self.delivered(&of, line, entry, "none");
            let origin = text(&line["origin"]);
            // A request that the front's own limit refuses has failed, and no guard has refused it.
            let is_guards = entry.is_refused() && entry.outcome() != "server_error";
            if is_guards && !matches!(&*origin, "guard" | "abandoned") && entry.kind.upload != Upload::BadChunk {
                self.report(format!("{of}: its origin is {origin}, and its service was not called"));
            }
            if entry.is_malformed() && (&*origin, line["cause"].is_string()) != ("error", true) {
                self.report(format!("{of}: its origin is {origin}, and its cause {}", line["cause"]));
            }
            if origin == "inner" && !entry.is_called() {
                self.report(format!("{of}: an inner error of a service that was not called"));
            }
            self.would_be(&of, line, entry);
        }
    }

    /// Checks that in `observe`, a line has what `enforce` would send (M1).
    fn would_be(&mut self, of: &str, line: &Value, entry: &Entry) {
        let stated =
            (text(&line["would_be_status"]), text(&line["would_be_grpc_status"]), text(&line["would_be_code"]));
        if entry.effective() == "enforce" || entry.effective() == "off" {
            if entry.kind.place != "watched" && stated.0 != "none" {
                self.report(format!("{of}: {stated:?} would have been sent, in mode {}", entry.effective()));
            }
            return;
        }
        if entry.effective() != "observe" || entry.got.has_left || entry.is_broken() || entry.kind.place == "watched" {
            return;
        }
        let Some(twin) = self.twin(entry, "enforce") else { return };
        if twin.got.has_left || twin.is_broken() {
            return;
        }
        let would = (twin.status(), twin.grpc(), twin.code().unwrap_or("none").to_owned());
        let sent = (text(&line["status"]), text(&line["grpc_status"]), text(&line["code"]));
        if stated.0 == "none" {
            if sent != would && would.2 != "none" {
                self.report(format!(
                    "{of}: nothing else would have been sent than {sent:?}, and enforce sends {would:?}"
                ));
            }
        } else if stated != would {
            self.report(format!("{of}: {stated:?} would have been sent, and enforce sends {would:?}"));
        }
    }

    fn requests(&mut self) {
        let by = ["route", "method", "status_class", "outcome", "grpc_status"];
        let stated = self.views.sums("error_envelope_requests_total", &by);
        let seen = tally(self.ledger.iter().map(requests_key));
        let mut counted = BTreeMap::new();
        for (mut key, count) in stated {
            if key[3] == "client_left" || key[3] == "broken" {
                "*".clone_into(&mut key[4]);
            }
            *counted.entry(key).or_default() += count;
        }
        if self.views.is_blind {
            return self.blind_requests(&counted);
        }
        self.same_counts("requests_total", &counted, &seen);
        let durations = self.views.sums("error_envelope_request_duration_seconds_count", &["route"]);
        let all = tally(self.ledger.iter().map(|entry| vec![entry.route()]));
        self.same_counts("request_duration_seconds_count", &durations, &all);
        let heads = self.views.sums("error_envelope_response_head_seconds_count", &["status_class"]);
        let unsent = heads.get(&vec!["none".to_owned()]).copied().unwrap_or(0);
        if unsent > 0 {
            self.report(format!("response_head_seconds_count: {unsent} heads that nobody got"));
        }
    }

    /// Checks that each request is counted, and none as one whose client left or whose response broke off.
    fn blind_requests(&mut self, counted: &BTreeMap<Vec<String>, i64>) {
        let mut places = BTreeMap::new();
        counted.iter().for_each(|(key, count)| *places.entry(key[..2].to_vec()).or_default() += count);
        let all = self.ledger.iter().map(|entry| vec![entry.route(), entry.kind.method.to_owned()]);
        self.same_counts("requests_total", &places, &tally(all));
        let in_sight = tally(self.ledger.iter().filter(|entry| !self.is_out_of_sight(entry)).map(requests_key));
        for (key, count) in counted {
            if matches!(&*key[3], "client_left" | "broken") {
                self.report(format!("requests_total: {count} of {key:?}, which nobody could see"));
            }
        }
        for (key, seen) in in_sight {
            let stated = counted.get(&key).copied().unwrap_or(0);
            if stated < seen {
                self.report(format!("requests_total: {stated} of {key:?}, and there were {seen}"));
            }
        }
    }

    fn errors(&mut self) {
        let fields = ["route", "status", "grpc_status", "code", "origin", "would_be_status", "would_be_code"];
        let stated = self.views.sums("error_envelope_errors_total", &fields);
        // In mode off, a request without a line is counted too.
        let has_lines = |key: &[String]| !key[0].starts_with("/off/");
        let switched = self.ledger.iter().any(|entry| entry.is_switched);
        if !switched {
            let counted =
                stated.iter().filter(|(key, _)| has_lines(key)).map(|(key, count)| (key.clone(), *count)).collect();
            let logged = tally(self.views.lines.iter().filter_map(|line| {
                let key: Vec<String> = fields.iter().map(|field| label(field, &line[*field])).collect();
                has_lines(&key).then_some(key)
            }));
            self.same_counts("errors_total next to the log", &counted, &logged);
        }
        if self.views.is_blind {
            return;
        }
        let by = ["route", "status"];
        let counted = self.views.sums("error_envelope_errors_total", &by);
        let failed = self.ledger.iter().filter(|it| self.has_line(it));
        let seen = tally(failed.map(|it| vec![it.route(), it.status()]));
        self.same_counts("errors_total", &counted, &seen);
        let broken = self.ledger.iter().filter(|it| it.outcome() == "broken" && it.got.status.is_some());
        let seen = tally(broken.map(|it| vec![it.route()]));
        self.same_counts(
            "broken_bodies_total",
            &self.views.sums("error_envelope_broken_bodies_total", &["route"]),
            &seen,
        );
        let refused = self.ledger.iter().filter(|it| self.would_be_refused(it));
        let seen = tally(refused.map(|it| vec![it.route()]));
        let stated = self.views.sums("error_envelope_would_refuse_total", &["route"]);
        self.same_counts("would_refuse_total", &stated, &seen);
    }

    /// Checks that the sums of bytes are those of the access log, whose lines were compared one by one.
    fn bodies(&mut self) {
        let Some(access) = &self.views.access else { return };
        for (name, field) in [("request", "request_bytes"), ("response", "response_bytes")] {
            let stated = self.views.sums(&format!("error_envelope_{name}_body_bytes_total"), &[]);
            let stated = stated.values().sum::<i64>();
            let seen: i64 = access.iter().filter_map(|line| line[field].as_i64()).sum();
            if stated != seen {
                self.report(format!("{name}_body_bytes_total is {stated}, and the access log has {seen}"));
            }
        }
    }

    fn admin(&mut self) {
        if self.views.now.is_null() {
            return;
        }
        let outcomes = self.views.now["hour"]["outcomes"].as_object().cloned().unwrap_or_default();
        let sum = |minutes: &Value| minutes.as_array().into_iter().flatten().filter_map(Value::as_i64).sum::<i64>();
        let stated = outcomes.iter().map(|(outcome, minutes)| (outcome.clone(), sum(minutes)));
        let stated: BTreeMap<String, i64> = stated.filter(|(_, count)| *count > 0).collect();
        let seen = tally(self.ledger.iter().map(|entry| entry.outcome().to_owned()));
        if self.views.is_blind {
            let (all, claimed) = (stated.values().sum::<i64>(), ["client_left", "broken"].map(|it| stated.get(it)));
            if all != self.ledger.len() as i64 || claimed != [None, None] {
                self.report(format!("now.json, outcomes: {stated:?} of {}", self.ledger.len()));
            }
        } else {
            self.same_counts("now.json, outcomes", &stated, &seen);
        }
        let known: HashMap<&str, &Entry> = self.ledger.iter().filter_map(|it| Some((it.id()?, it))).collect();
        for error in self.views.errors["errors"].as_array().into_iter().flatten() {
            let id = error["id"].as_str().unwrap_or_default();
            let Some(entry) = known.get(id) else {
                if !self.ledger.iter().any(|entry| entry.id().is_none()) {
                    self.report(format!("errors.json has {id}, which nobody saw"));
                }
                continue;
            };
            if self.is_out_of_sight(entry) {
                continue;
            }
            let of = format!("errors.json, {}", entry.name());
            self.stored(&of, error, entry);
            self.same(&of, "method", &text(&error["method"]), entry.kind.method);
            self.same(&of, "kill_switch", &text(&error["kill_switch"]), &entry.is_switched.to_string());
            self.same(&of, "mode", &text(&error["mode"]), entry.mode);
        }
        let places = [("failing", "server_error"), ("refusing", "")];
        for (list, outcome) in places {
            let Some(stated) = self.views.now[list].as_array().filter(|_| !self.views.is_blind) else { continue };
            let stated =
                stated.iter().map(|place| (text(&place["route"]), place["count"].as_i64().unwrap_or(0))).collect();
            let is_in = |it: &&Entry| match outcome {
                "server_error" => matches!(it.outcome(), "server_error" | "broken"),
                _ => it.is_refused() && it.kind.upload != Upload::BadChunk && it.outcome() == "client_error",
            };
            let seen = tally(self.ledger.iter().filter(is_in).map(Entry::route));
            self.same_counts(&format!("now.json, {list}"), &stated, &seen);
        }
    }

    /// Checks what the admin's store states about one request.
    fn stored(&mut self, of: &str, error: &Value, entry: &Entry) {
        self.same(of, "status", &text(&error["status"]), &entry.status());
        self.same(of, "outcome", &text(&error["outcome"]), entry.outcome());
        self.same(of, "route", &text(&error["route"]), &entry.route());
        // The processor does not know Envoy's services.
        let is_named = self.views.is_blind || error["service"].is_string() == entry.is_called();
        if !is_named {
            self.report(format!(
                "{of}: its service is {}, and one was called: {}",
                error["service"],
                entry.is_called()
            ));
        }
        if let Some(code) = entry.code() {
            self.same(of, "code", &text(&error["code"]), code);
        }
        if !entry.got.has_left && !entry.is_broken() {
            self.same(of, "grpc_status", &text(&error["grpc_status"]), &entry.grpc());
        }
        if let (true, Some(inner)) = (entry.is_called(), error["inner_status"].as_u64())
            && inner != u64::from(entry.kind.answer.status)
        {
            self.report(format!("{of}: the service answered {inner}, and it was {}", entry.kind.answer.status));
        }
    }

    fn readiness(&mut self) {
        let routes = self.views.readiness["routes"].as_array().cloned().unwrap_or_default();
        for route in routes {
            let name = text(&route["route"]);
            let of = format!("readiness.json, {name}");
            // A request that passed while the kill switch was on is no evidence for a mode.
            let mine: Vec<&Entry> = self.ledger.iter().filter(|it| it.route() == name && !it.is_switched).collect();
            let all = mine.len();
            let errors =
                mine.iter().filter(|it| matches!(it.outcome(), "client_error" | "server_error" | "broken")).count();
            let left = mine.iter().filter(|it| it.got.has_left).count();
            let ends = [("requests", all), ("errors", errors), ("client_left", left)];
            for (field, seen) in ends.into_iter().take(if self.views.is_blind { 1 } else { 3 }) {
                self.same(&of, field, &text(&route[field]), &seen.to_string());
            }
            let watched = mine.iter().filter(|it| it.kind.place == "watched" && !it.kind.has_key()).count();
            self.same(&of, "auth_would_refuse", &text(&route["auth_would_refuse"]), &watched.to_string());
            if name.starts_with("/observe/") {
                let own = mine.iter().filter(|it| it.kind.place != "watched" && self.would_be_refused(it)).count();
                self.same(&of, "own_would_refuse", &text(&route["own_would_refuse"]), &own.to_string());
            }
        }
    }

    fn finds(&mut self) {
        for (id, found) in &self.views.found {
            let Some(entry) = self.ledger.iter().find(|entry| entry.id() == Some(id)) else { continue };
            if self.is_out_of_sight(entry) {
                continue;
            }
            let of = format!("find, {}", entry.name());
            match (&known(found)[..], self.has_line(entry)) {
                ([error], true) => self.stored(&of, error, entry),
                ([], false) => {}
                (other, _) => self.report(format!("{of}: {} errors", other.len())),
            }
        }
    }
}

/// Returns the labels of `requests_total`. The ledger has no status for a call whose end nobody saw.
fn requests_key(entry: &Entry) -> Vec<String> {
    let grpc = if entry.got.has_left || entry.is_broken() { "*".to_owned() } else { entry.grpc_label() };
    vec![entry.route(), entry.kind.method.to_owned(), entry.class(), entry.outcome().to_owned(), grpc]
}

fn known(found: &Value) -> Vec<&Value> {
    found["searched_id"]["known"].as_array().map(|errors| errors.iter().collect()).unwrap_or_default()
}

/// Returns the label of a metric for a field of the log.
fn label(field: &str, value: &Value) -> String {
    match (field, text(value).as_str()) {
        ("grpc_status", text) if text.parse().is_ok_and(|number: u8| number > 16) => "other".to_owned(),
        (_, text) => text.to_owned(),
    }
}

impl Kind {
    /// Returns true if the request has a key that lets it in.
    pub(crate) fn has_key(&self) -> bool {
        self.headers.contains(&("authorization", "Bearer reading-key-1"))
    }
}

impl Entry {
    fn grpc_is_fine(&self) -> bool {
        matches!(&*self.grpc(), "none" | "0")
    }
}
