//! Applies a policy to a recorded response. The library's own code decides how the layer would have responded.
//!
//! Credentials are assumed valid (G2), because recordings seldom contain credentials, and a policy's keys are hashes.
//! The guards check the rest of the head, and the recorded part of the body. Ids and times are the same in every trial.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use bytes::Bytes;
use error_envelope_core::loader::Effective;
use error_envelope_core::session::{
    BodyFacts, Explanation, FirstByte, LocalReply, MapRuleId, RequestRecord, RequestStep, ResponseStep, Session,
    SessionConfig,
};
use http::{Extensions, HeaderMap, Method, StatusCode, response};
use tower_error_envelope::policy::{Dialect, PolicyFile};
use tower_error_envelope::{Mode, Policy, PolicyError, RequestId};

use crate::policy;
use crate::recorded::{Recorded, RecordedPhrase};

/// The first day of 2026, in milliseconds since the Unix epoch. It is the time of every trial, and of its request id.
const TIME_MS: u64 = 1_767_225_600_000;

/// The response that the layer would send for a recorded response.
pub(crate) struct TrialResult {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    /// The body that the client gets, or `None` if the service's body passes unchanged.
    pub(crate) body: Option<Bytes>,
    /// The record that the layer would log, or `None` if the response is not an error.
    pub(crate) record: Option<RequestRecord>,
    /// The explanation of the response, or `None` if it was not requested.
    pub(crate) explanation: Option<Explanation>,
    /// True if the layer could not read the body, because the body is too long or in an unknown coding (R4, R5).
    pub(crate) unread: bool,
    /// The ids of the map rules that were tried, in the order of [`Explanation::rules`].
    pub(crate) rules: Vec<MapRuleId>,
}

/// A policy under which recorded responses are tried.
pub(crate) struct Trial {
    /// The policy's file, with the line of each rule, or `None` for the defaults.
    pub(crate) file: Option<PolicyFile>,
    config: Arc<SessionConfig>,
    /// The policy with each of these modes set on every route. The mode must be set before a trial, because guards
    /// depend on it.
    modes: Vec<(Mode, Arc<SessionConfig>)>,
}

impl Trial {
    /// Reads the policy of a file, or uses the defaults. `modes` are the modes in which [`run`](Self::run) can try
    /// responses, in addition to the policy's own modes.
    ///
    /// # Errors
    ///
    /// All errors.
    pub(crate) fn from_file(path: Option<&Path>, modes: &[Mode]) -> Result<Self, Vec<PolicyError>> {
        let file = path.map(policy::read).transpose()?.map(|read| read.file);
        let policy = || match &file {
            Some(file) => file.another_policy().map_err(|error| vec![error]),
            None => Ok(Policy::default()),
        };
        let in_mode = |mode: &Mode| Ok((*mode, config(policy()?.in_mode(*mode))));
        let modes = modes.iter().map(in_mode).collect::<Result<_, Vec<PolicyError>>>()?;
        let config = config(policy()?);
        Ok(Self { file, config, modes })
    }

    /// Returns the settings for a recorded request, or `None` if no route of the file can match it.
    pub(crate) fn effective(&self, recorded: &Recorded) -> Option<Effective> {
        let (method, path) = (recorded.request.method().as_str(), recorded.request.uri().path());
        let host = recorded.request.headers().get(http::header::HOST).and_then(|host| host.to_str().ok());
        let url = host.map_or_else(|| path.to_owned(), |host| format!("http://{host}{path}"));
        self.file.as_ref()?.effective(method, &url).ok()
    }

    /// Returns the dialects that a route of this policy can have.
    pub(crate) fn dialects(&self) -> impl Iterator<Item = Dialect> {
        self.config.policy().dialects()
    }

    /// Returns the result for a response, as if its route had this mode and this dialect. The mode must be one of the
    /// modes that [`from_file`](Self::from_file) got.
    pub(crate) fn run(&self, recorded: &Recorded, mode: Option<Mode>, dialect: Option<Dialect>) -> TrialResult {
        let in_mode = self.modes.iter().find(|(each, _)| Some(*each) == mode);
        let config = in_mode.map_or(&self.config, |(_, config)| config);
        let (mut head, body) = recorded.request.clone().into_parts();
        let length = recorded.request_bytes;
        let facts = BodyFacts { ended: length == 0, lower: length, upper: Some(length) };
        let (mut session, mut step) =
            Session::begin(config.clone(), &mut head, facts, || RequestId::from_parts(TIME_MS, 0));
        loop {
            step = match step {
                RequestStep::Send(reply) => return TrialResult::answered(*reply),
                RequestStep::Peek(_) => session.first_byte(if length == 0 { FirstByte::End } else { FirstByte::Data }),
                RequestStep::Verify(_) => session.verified(&mut head, Err("a trial has no credentials".into())),
                RequestStep::Forward(meter) => {
                    // The meter checks the length of each RPC message (P1). A body that is too long as a whole has
                    // already been refused.
                    if let Some(mut meter) = meter {
                        let _ = meter.request_data(&body);
                        meter.body_ended();
                    }
                    return respond(session.as_if(dialect), recorded, &head.method);
                }
                RequestStep::Broken => unreachable!("each call is in the session's order"),
            };
        }
    }
}

fn config(policy: Policy) -> Arc<SessionConfig> {
    let config = SessionConfig::new(policy.without_credentials(), || UNIX_EPOCH + Duration::from_millis(TIME_MS));
    Arc::new(SessionConfig { reason_phrase: Some(recorded_phrase), ..config })
}

fn recorded_phrase(extensions: &Extensions) -> Option<&[u8]> {
    extensions.get::<RecordedPhrase>().map(|RecordedPhrase(phrase)| phrase.as_bytes())
}

fn respond(mut session: Session, recorded: &Recorded, method: &Method) -> TrialResult {
    let mut head = recorded.response.clone().into_parts().0;
    let body = Some(recorded.response.body()).filter(|_| *method != Method::HEAD);
    let length = body.map(|body| body.len() as u64);
    let facts = BodyFacts {
        ended: length.map_or(*method == Method::HEAD, |length| length == 0),
        lower: length.unwrap_or_default(),
        upper: length,
    };
    let explain = |body| if matches!(head.status.as_u16(), 400..=599) { session.explain(&head, body) } else { None };
    let explanation = explain(body.map(|body| &body[..]));
    let from_head = explain(None);
    let lengths = [&explanation, &from_head].into_iter().flatten().map(|explanation| explanation.rules.len());
    let most = lengths.max().unwrap_or(0);
    let rules = (0..most).filter_map(|index| session.map_rule(index)).collect();
    let (step, unread) = match session.respond(&mut head, || facts) {
        ResponseStep::Read(reading) => {
            let read = reading.whole(body.cloned().unwrap_or_default());
            let unread = body.is_none() || !read.is_whole();
            (session.decide(&mut head, read), unread)
        }
        // Here, the session decided from the response's head, without the body.
        step @ ResponseStep::Write(_) => (step, !facts.ended),
        step => (step, false),
    };
    let outcome = match step {
        ResponseStep::Pass(mut follow) => {
            if let Some(body) = body {
                follow.whole(body);
            }
            TrialResult::from_head(head, None, follow.into_decided())
        }
        ResponseStep::Resume(_, _, follow) => TrialResult::from_head(head, None, follow.into_decided()),
        ResponseStep::Strip(_) => TrialResult::from_head(head, Some(Bytes::new()), None),
        ResponseStep::Write(written) => TrialResult::from_head(head, Some(written.body), Some(written.record)),
        ResponseStep::Send(reply) => TrialResult::answered(*reply),
        ResponseStep::Read(_) | ResponseStep::Broken => unreachable!("the whole body was read"),
    };
    let explanation = if unread { from_head } else { explanation };
    TrialResult { explanation, rules, unread, ..outcome }
}

impl TrialResult {
    fn from_head(head: response::Parts, body: Option<Bytes>, record: Option<RequestRecord>) -> Self {
        let response::Parts { status, headers, .. } = head;
        Self { status, headers, body, record, explanation: None, unread: false, rules: Vec::new() }
    }

    fn answered(answered: LocalReply) -> Self {
        let (head, body) = answered.reply.into_parts();
        Self::from_head(head, Some(body), Some(answered.record))
    }

    /// Returns true if the client gets the service's response, with only the request id added.
    pub(crate) fn passes(&self) -> bool {
        self.body.is_none()
    }

    /// Returns the body that the client gets.
    pub(crate) fn bytes(&self, recorded: &Recorded) -> Bytes {
        self.body.clone().unwrap_or_else(|| recorded.response.body().clone())
    }
}
