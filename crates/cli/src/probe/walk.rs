//! Runs the probes one after the other: sends the planned requests, and judges the responses.

use std::collections::HashSet;
use std::time::Duration;

use error_envelope_core::openapi::Operation;
use http::HeaderMap;
use tokio::time::{Instant, sleep_until};
use tower_error_envelope::ErrorCode;

use super::advice;
use super::answer::{ProbeError, ProbeResponse, ProbeResult};
use super::client;
use super::finding::{Finding, Line, Outcome};
use super::judge::{self, Case, judge};
use super::operations::{MOST_OPERATIONS, RULE, undeclared};
use super::plan::{Planned, ServiceInfo, code_of};
use super::request::{ProbeRequest, SentRequest};
use super::table::{Body, OPERATION, PROBES, Probe, Want};
use super::target::Target;
use crate::failure::CommandError;

/// The number of consecutive requests without a response after which the service counts as gone.
const MOST_SILENT: usize = 3;

/// How requests are sent.
pub(super) struct ProbeOptions {
    pub(super) patience: Duration,
    /// The least time between two requests.
    pub(super) pause: Duration,
    pub(super) verbose: bool,
    pub(super) by_policy: bool,
}

/// The results so far.
pub(super) struct ProbeRun<'a> {
    service: &'a ServiceInfo,
    target: &'a Target,
    options: ProbeOptions,
    next: Instant,
    seen: HashSet<String>,
    answered: usize,
    silent: usize,
    pub(super) framework: Option<&'static str>,
    /// Whether any answer so far had a request id.
    pub(super) has_ids: bool,
}

impl<'a> ProbeRun<'a> {
    pub(super) fn new(service: &'a ServiceInfo, target: &'a Target, options: ProbeOptions) -> Self {
        Self {
            service,
            target,
            options,
            next: Instant::now(),
            seen: HashSet::new(),
            answered: 0,
            silent: 0,
            framework: None,
            has_ids: false,
        }
    }

    /// Runs each line of the table.
    ///
    /// # Errors
    ///
    /// A service that cannot be reached at all.
    pub(super) async fn run_all(&mut self) -> Result<Vec<Line>, CommandError> {
        let mut lines = Vec::new();
        for probe in PROBES {
            lines.push(match self.service.plan(probe) {
                Ok(planned) => self.line(probe, planned).await?,
                Err(why) => skipped(probe, why),
            });
        }
        for (index, operation) in self.service.operations().iter().enumerate() {
            let planned = match index {
                MOST_OPERATIONS.. => Err(format!("not sent: the document has more than {MOST_OPERATIONS} operations")),
                _ => self.service.plan_operation(operation),
            };
            let line = match planned {
                Ok(planned) => self.operation(operation, planned).await?,
                Err(why) => skipped(&OPERATION, why),
            };
            lines.push(Line { name: operation.line().into(), ..line });
        }
        Ok(lines)
    }

    /// Sends each planned request of an operation and judges it. The line is that of the first failed request; if none
    /// failed, that of the last error response.
    async fn operation(&mut self, operation: &Operation<'_>, planned: Vec<Planned>) -> Result<Line, CommandError> {
        let mut best: Option<Line> = None;
        for planned in planned {
            let (line, got) = self.exchange(&OPERATION, planned).await?;
            let line = line.declared(operation, got.as_ref());
            if !matches!(line.outcome, Outcome::Passed) {
                return Ok(line);
            }
            if best.is_none() || got.is_some_and(|got| !got.status.is_success()) {
                best = Some(line);
            }
        }
        Ok(best.unwrap_or_else(|| skipped(&OPERATION, OPERATION.otherwise.to_owned())))
    }

    async fn line(&mut self, probe: &Probe, planned: Vec<Planned>) -> Result<Line, CommandError> {
        let mut line = skipped(probe, probe.otherwise.to_owned());
        for planned in planned {
            line = self.exchange(probe, planned).await?.0;
            if !matches!(line.outcome, Outcome::Skipped(_)) || line.got.is_none() {
                break;
            }
        }
        Ok(line)
    }

    /// Sends one request and judges its response. A response that shows nothing may still be skipped in favour of
    /// another request.
    async fn exchange(
        &mut self,
        probe: &Probe,
        planned: Planned,
    ) -> Result<(Line, Option<ProbeResponse>), CommandError> {
        let mut line = skipped(probe, format!("not sent: {MOST_SILENT} requests in a row got no response"));
        if self.silent >= MOST_SILENT {
            return Ok((line, None));
        }
        line.sent = Some(planned.request.line());
        line.curl = planned.request.curl(&self.target.origin());
        let got = match self.send_request(&planned).await {
            Ok(got) => got,
            Err(no_answer) => return Ok((Line { outcome: self.unanswered(probe, no_answer)?, ..line }, None)),
        };
        line.got = Some(judge::describe(&got));
        (line.outcome, line.kept) = self.judged(probe, &planned, &got);
        Ok((line, Some(got)))
    }

    async fn send_request(&mut self, planned: &Planned) -> ProbeResult {
        sleep_until(self.next).await;
        self.next = Instant::now() + self.options.pause;
        if self.options.verbose {
            anstream::eprintln!("> {}", planned.request.to_string().trim_end().replace('\n', "\n> "));
        }
        let answer = client::send_request(self.target, &planned.request, self.options.patience).await;
        if self.options.verbose {
            print_head(&answer);
        }
        self.count(&planned.request, &answer);
        answer
    }

    /// Counts requests without a response. A server that waits for the end of a body still counts as there.
    fn count(&mut self, request: &ProbeRequest, answer: &ProbeResult) {
        let is_upload =
            matches!(request.body, SentRequest::Unsent(_) | SentRequest::Filled(_) | SentRequest::Chunked(_));
        match answer {
            Ok(_) => (self.answered, self.silent) = (self.answered + 1, 0),
            Err(ProbeError::NoHttp2) => self.silent = 0,
            Err(_) if is_upload => {}
            Err(_) => self.silent += 1,
        }
    }

    fn unanswered(&self, probe: &Probe, no_answer: ProbeError) -> Result<Outcome, CommandError> {
        let why = no_answer.to_text();
        match no_answer {
            ProbeError::Unreachable(_) if self.answered == 0 => {
                Err(CommandError::Io(format!("{why}\n = help: start the service, and give its URL")))
            }
            ProbeError::NoHttp2 => Ok(Outcome::Skipped(format!("{why}; {}", probe.otherwise))),
            ProbeError::Unreachable(_) | ProbeError::Silent(_) | ProbeError::Broken(_) => {
                Ok(Outcome::Failed(vec![Finding::new(no_answer.breaks(probe), why)]))
            }
        }
    }

    fn judged(&mut self, probe: &Probe, planned: &Planned, got: &ProbeResponse) -> (Outcome, Vec<String>) {
        let oracle = &self.service.oracle;
        let model = oracle.model(&planned.request, self.code(got));
        let kept_id = oracle.kept_id(&planned.request);
        let predicted = planned.predicted.reply();
        let judgement = judge(&Case {
            probe,
            request: &planned.request,
            got,
            predicted,
            model: model.as_ref(),
            seen: &self.seen,
            kept_id: kept_id.as_deref(),
            exposes: oracle.guards(&planned.request).exposes,
            by_policy: self.options.by_policy,
        });
        self.note(&got.headers);
        judgement
    }

    fn note(&mut self, headers: &HeaderMap) {
        if let Some(id) = headers.get("x-request-id").and_then(|id| id.to_str().ok()) {
            self.seen.insert(id.to_owned());
            self.has_ids = true;
        }
        self.framework = self.framework.or_else(|| advice::framework(headers));
    }

    /// The response's code, if the catalogue has it; otherwise the code of its status.
    fn code(&self, got: &ProbeResponse) -> ErrorCode {
        let name = code_of(&got.headers).unwrap_or_default();
        let custom_codes = self.service.oracle.policy().own_codes();
        let known = ErrorCode::ALL.iter().chain(custom_codes).find(|code| code.as_str() == name);
        known.cloned().unwrap_or_else(|| ErrorCode::of_status(got.status))
    }
}

impl ProbeError {
    /// The rule that a service breaks if it does not respond.
    fn breaks(&self, probe: &Probe) -> &'static str {
        match (probe.want, probe.body) {
            (Want::Below, _) => "F5",
            (_, Body::Unsent) if matches!(self, Self::Silent(_)) => "G4",
            (_, Body::Sent | Body::Chunked) => "G5",
            (_, Body::None | Body::Text(_) | Body::Unsent) => "F1",
        }
    }

    fn to_text(&self) -> String {
        match self {
            Self::Unreachable(why) => format!("the service cannot be reached: {why}"),
            Self::Silent(patience) => format!("no response within {} s", patience.as_secs_f32()),
            Self::Broken(why) => format!("no answer: {why}"),
            Self::NoHttp2 => "the service does not support HTTP/2".to_owned(),
        }
    }
}

impl Line {
    /// Adds the parts of the response that the operation does not declare.
    fn declared(mut self, operation: &Operation<'_>, got: Option<&ProbeResponse>) -> Self {
        let Some(got) = got else { return self };
        let mut wrong: Vec<_> =
            undeclared(operation, got.status, code_of(&got.headers).as_deref()).into_iter().collect();
        let acts = !operation.method.is_safe() && got.status.is_success();
        wrong.extend(acts.then(|| Finding::new(RULE, "the service accepted malformed JSON")));
        match &mut self.outcome {
            Outcome::Failed(findings) => findings.append(&mut wrong),
            Outcome::Passed if wrong.is_empty() => self.kept.push(RULE.to_owned()),
            outcome @ Outcome::Passed => *outcome = Outcome::Failed(wrong),
            Outcome::Skipped(_) => {}
        }
        self
    }
}

/// A line that was not sent.
fn skipped(probe: &Probe, why: String) -> Line {
    let Probe { name, about, .. } = *probe;
    Line {
        name: name.into(),
        about,
        sent: None,
        curl: None,
        got: None,
        kept: Vec::new(),
        outcome: Outcome::Skipped(why),
    }
}

fn print_head(answer: &ProbeResult) {
    match answer {
        Ok(got) => anstream::eprintln!("< {}\n{}", got.status, lines_of(&got.headers)),
        Err(no_answer) => anstream::eprintln!("< {}\n", no_answer.to_text()),
    }
}

/// A server's headers may contain anything: a terminal gets none of their control characters.
fn lines_of(headers: &HeaderMap) -> String {
    let line = |(name, value): (&http::HeaderName, &http::HeaderValue)| match name.as_str() {
        "set-cookie" => format!("< {name}: (not shown)\n"),
        _ => format!("< {name}: {}\n", value.as_bytes().escape_ascii()),
    };
    headers.iter().map(line).collect()
}
