//! A fault: an error with a code, which the layer sends to a client.

mod as_fault;
mod body_form;
mod prepared;

use std::borrow::Cow;
use std::error::Error;
use std::fmt;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use http::header::RETRY_AFTER;
use http::{Extensions, HeaderMap, HeaderName, HeaderValue, StatusCode};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::value::{RawValue, to_raw_value};

pub use self::as_fault::AsFault;
pub use self::body_form::BodyForm;
use self::prepared::ReplyCache;
#[doc(hidden)]
pub use self::prepared::{HeadTemplate, PreparedReply, Slot, WrittenReply, length_value};
use crate::code::{ErrorCode, Retry};
use error_envelope_text::message;

/// An error with a code, and with the data that the client may get.
///
/// Return a fault as the error of a service, or put it into the extensions of a response. The layer writes it as an
/// envelope, with its message and details. The status is the status of its code, unless you set another status. The
/// source is only for the log, and for clients of a layer in development.
///
/// A fault is one word wide, so that a `Result` with it stays small. A fault that only has a code of the catalogue
/// allocates nothing.
///
/// ```
/// use serde_json::json;
/// use tower_error_envelope::{ErrorCode, Fault};
///
/// let fault = Fault::new(ErrorCode::CONFLICT).with_message("The seat is taken.").with_details(json!({ "seat": 7 }));
/// assert_eq!(fault.status(), 409);
/// assert_eq!(fault.to_string(), "conflict: The seat is taken.");
/// ```
#[derive(Clone)]
#[must_use]
pub struct Fault(Arc<Inner>);

#[derive(Clone)]
struct Inner {
    code: ErrorCode,
    message: Option<Cow<'static, str>>,
    wording: MessageSource,
    details: Option<Box<RawValue>>,
    /// The number of issues that are missing from the list in the details (R4).
    left_out: usize,
    status: Option<StatusCode>,
    headers: Option<Box<HeaderMap>>,
    source: Option<Arc<dyn Error + Send + Sync>>,
    /// The advice of an inner layer that wrote the error (E10).
    advice: Option<Box<Advice>>,
    /// The prepared replies, if a policy stores this fault.
    memo: Option<ReplyCache>,
}

/// What an error advises clients to do next (E10).
#[doc(hidden)]
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Advice {
    pub retry: Option<Retry>,
    /// The address of a page about the error.
    pub docs: Option<Box<str>>,
}

/// One fault for each code of the catalogue, in its order. Most errors have only a code, and share this fault.
static STOCK: LazyLock<Box<[Fault]>> = LazyLock::new(|| ErrorCode::ALL.iter().map(Fault::code_only).collect());

/// The reason why a fault lacks its details or a header, in front of the fault's source.
#[derive(Debug)]
struct Lacking {
    why: String,
    source: Option<Arc<dyn Error + Send + Sync>>,
}

/// The origin of a fault's message. The origin decides whether the message is already clean.
#[derive(Clone, Copy, PartialEq, Eq)]
enum MessageSource {
    /// The user set the message, and it is unchanged.
    Raw,
    /// The message may come from any source. The message is already one printable line (E2).
    Clean,
    /// The message comes from the layer, and is clean. Such a message is treated like a message of the catalogue (R12).
    Stock,
}

impl Fault {
    /// Creates a fault with the message and the status of its code, without details and without further headers.
    #[inline]
    pub fn new(code: ErrorCode) -> Self {
        match code.stock_place() {
            Some(place) => STOCK[place].clone(),
            None => Self::code_only(&code),
        }
    }

    fn code_only(code: &ErrorCode) -> Self {
        Self(Arc::new(Inner {
            code: code.clone(),
            message: None,
            wording: MessageSource::Raw,
            details: None,
            left_out: 0,
            status: None,
            headers: None,
            source: None,
            advice: None,
            memo: None,
        }))
    }

    /// Sets the message, which is for people. The message becomes one line of at most 1,024 bytes (E2). If the message
    /// is empty, the message of the code is used.
    pub fn with_message(self, message: impl Into<Cow<'static, str>>) -> Self {
        self.with_message_from(message.into(), MessageSource::Raw)
    }

    /// Sets the details, which may be any JSON value.
    ///
    /// If the value cannot be serialized as JSON, such as a map whose keys are not strings, the fault has no details.
    /// The reason is logged, followed by the fault's source if it has one.
    pub fn with_details(self, details: impl Serialize) -> Self {
        match to_raw_value(&details) {
            Ok(details) => self.with_raw_details(Some(details)),
            Err(error) => self.lacking("the details cannot be sent", &error),
        }
    }

    /// Sets a status other than the status of the code, such as `422` or `StatusCode::GONE`. A status outside 400–599
    /// is ignored, because it does not mean an error.
    pub fn with_status(mut self, status: impl TryInto<StatusCode>) -> Self {
        if let Ok(status) = status.try_into()
            && (status.is_client_error() || status.is_server_error())
            && self.status() != status
        {
            self.change().status = Some(status);
        }
        self
    }

    /// Sets `retry-after`, the number of seconds after which a client may try again. The time is rounded up.
    ///
    /// Clients of Google's dialect get the time as `google.rpc.RetryInfo`, as do RPC clients with the feature `protobuf`. If no time is set, the
    /// response has no `retry-after` (R8).
    ///
    /// ```
    /// use std::time::Duration;
    /// use tower_error_envelope::{ErrorCode, Fault};
    ///
    /// let fault = Fault::new(ErrorCode::RATE_LIMITED).with_retry_after(Duration::from_millis(1_500));
    /// assert_eq!(fault.headers()["retry-after"], "2");
    /// ```
    pub fn with_retry_after(mut self, wait: Duration) -> Self {
        let seconds = wait.as_secs().saturating_add(u64::from(wait.subsec_nanos() > 0));
        self.change().headers.get_or_insert_default().insert(RETRY_AFTER, seconds.into());
        self
    }

    /// Adds a header to the response, such as another `www-authenticate`. As in the builders of [`http`], name and
    /// value may be texts.
    ///
    /// If no header can have this name or this value, the fault lacks the header. The reason is logged, followed by the
    /// fault's source if it has one.
    ///
    /// ```
    /// use tower_error_envelope::{ErrorCode, Fault};
    ///
    /// let fault = Fault::new(ErrorCode::CONFLICT).with_header("x-seat", 7).with_header("x-hall", "north");
    /// assert_eq!((&fault.headers()["x-seat"], &fault.headers()["x-hall"]), (&7.into(), &"north".parse().unwrap()));
    /// ```
    pub fn with_header(
        mut self,
        name: impl TryInto<HeaderName, Error: Into<http::Error>>,
        value: impl TryInto<HeaderValue, Error: Into<http::Error>>,
    ) -> Self {
        match (name.try_into().map_err(Into::into), value.try_into().map_err(Into::into)) {
            (Ok(name), Ok(value)) => {
                self.change().headers.get_or_insert_default().append(name, value);
            }
            (Err(error), _) | (_, Err(error)) => return self.lacking("a header cannot be sent", &error),
        }
        self
    }

    /// Sets the cause. The cause is logged. It is not sent to the client, unless development is on (E11).
    pub fn with_source(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        let source = Arc::from(source.into());
        let lacking = self.0.source.as_deref().and_then(|it| it.downcast_ref::<Lacking>());
        self.change().source = Some(match lacking.map(|it| it.why.clone()) {
            Some(why) => Arc::new(Lacking { why, source: Some(source) }),
            None => source,
        });
        self
    }

    /// Returns the error code.
    #[must_use]
    #[inline]
    pub fn code(&self) -> &ErrorCode {
        &self.0.code
    }

    /// Returns the message that the client gets. This message is the fault's own message, or otherwise the message of
    /// its code. For `bad_request` with another status, it is a neutral text.
    #[must_use]
    pub fn message(&self) -> Cow<'_, str> {
        let code = &self.0.code;
        let own =
            self.message_line().or_else(|| if code.is_in_catalogue() { None } else { message::clean(code.message()) });
        own.unwrap_or_else(|| code.message_under(self.status()).into())
    }

    /// Returns the details as JSON text.
    #[must_use]
    pub fn details_json(&self) -> Option<&str> {
        self.0.details.as_deref().map(RawValue::get)
    }

    /// Returns the details, parsed as the caller's type, or `None` if there are none.
    ///
    /// # Errors
    ///
    /// Returns an error if the details are not of that type.
    pub fn details<T: DeserializeOwned>(&self) -> Result<Option<T>, serde_json::Error> {
        self.details_json().map(serde_json::from_str).transpose()
    }

    /// Returns the status that was set, or otherwise the status of the code.
    #[must_use]
    #[inline]
    pub fn status(&self) -> StatusCode {
        self.0.status.unwrap_or_else(|| self.0.code.status())
    }

    /// Returns the headers that the fault adds to its response.
    #[must_use]
    #[inline]
    pub fn headers(&self) -> &HeaderMap {
        static NONE: LazyLock<HeaderMap> = LazyLock::new(HeaderMap::new);

        self.0.headers.as_deref().unwrap_or(&NONE)
    }

    /// Records that the fault lacks a part, so that the log states the reason.
    fn lacking(mut self, what: &str, error: &dyn fmt::Display) -> Self {
        let inner = self.change();
        let source = inner.source.take();
        inner.source = Some(Arc::new(Lacking { why: format!("{what}: {error}"), source }));
        self
    }

    /// Returns the fault's fields for modification. Drops the prepared replies, because they would no longer fit the fault.
    fn change(&mut self) -> &mut Inner {
        let inner = Arc::make_mut(&mut self.0);
        inner.memo = None;
        inner
    }

    fn with_message_from(mut self, message: Cow<'static, str>, wording: MessageSource) -> Self {
        let inner = self.change();
        (inner.message, inner.wording) = (Some(message), wording);
        self
    }

    /// Returns the message as one line, or `None` if it is blank (E2).
    fn message_line(&self) -> Option<Cow<'_, str>> {
        match self.0.message.as_deref() {
            Some(message) if self.0.wording != MessageSource::Raw => Some(Cow::Borrowed(message)),
            message => message.and_then(message::clean),
        }
    }
}

/// Methods for the crates that write faults.
#[doc(hidden)]
impl Fault {
    /// Returns the fault that a service left in the extensions of its response (R1). The extensions contain the fault
    /// itself, or a tonic status whose cause is the fault.
    #[must_use]
    #[inline]
    pub fn in_extensions(extensions: &Extensions) -> Option<&Self> {
        let fault = extensions.get();
        #[cfg(feature = "tonic")]
        let fault = fault.or_else(|| crate::cause::find(extensions.get::<tonic::Status>()?));
        fault
    }

    /// Creates a fault that a policy stores for repeated use, together with its prepared replies.
    ///
    /// The fault must belong to one policy, and must have no header that depends on the route, such as one of CORS.
    /// Otherwise, the reply prepared for one policy or route could be sent for another.
    pub fn with_stored_reply(self) -> Self {
        Self(Arc::new(Inner { memo: Some(ReplyCache::default()), ..(*self.0).clone() }))
    }

    /// Returns the slot for the fault's prepared reply in this form. `forms` returns the number of forms. Returns
    /// `None` if no policy stores the fault.
    #[inline]
    pub fn slot(&self, form: usize, forms: impl FnOnce() -> usize) -> Option<&Slot> {
        self.0.memo.as_ref()?.slot(form, forms)
    }

    /// Returns true if the fault equals [`Fault::new`] with a code of the catalogue.
    #[inline]
    pub fn is_stock(&self) -> bool {
        self.0.code.place().is_some_and(|place| Arc::ptr_eq(&self.0, &STOCK[place].0))
    }

    /// Returns true if the fault adds headers.
    #[inline]
    pub fn has_headers(&self) -> bool {
        self.0.headers.is_some()
    }

    /// Returns the text that was set for this fault, if there is one. No text of a code or of the layer replaces such a
    /// text (R12).
    #[inline]
    pub fn own_message(&self) -> Option<Cow<'_, str>> {
        if self.0.wording == MessageSource::Stock { None } else { self.message_line() }
    }

    /// Returns the same fault, with its code as the policy defines it. The fault keeps its own status and its own text.
    pub fn with_code(mut self, code: ErrorCode) -> Self {
        let status = self.status();
        let inner = self.change();
        inner.status = (code.status() != status).then_some(status);
        inner.code = code;
        self
    }

    /// Sets a message that the layer chose, which is already one printable line (E2).
    pub fn with_stock_message(self, message: impl Into<Cow<'static, str>>) -> Self {
        self.with_message_from(message.into(), MessageSource::Stock)
    }

    /// Sets a message that is already clean.
    pub fn with_clean_message(self, message: String) -> Self {
        self.with_message_from(message.into(), MessageSource::Clean)
    }

    #[inline]
    pub fn with_raw_details(mut self, details: Option<Box<RawValue>>) -> Self {
        if details.is_some() || self.0.details.is_some() {
            self.change().details = details;
        }
        self
    }

    /// Sets the number of issues that are missing from the list in the details (R4).
    #[inline]
    pub fn with_left_out(mut self, left_out: usize) -> Self {
        if left_out > 0 {
            self.change().left_out = left_out;
        }
        self
    }

    /// Sets the advice of an inner layer.
    #[inline]
    pub fn with_advice(mut self, advice: &Advice) -> Self {
        if *advice != Advice::default() {
            self.change().advice = Some(Box::new(advice.clone()));
        }
        self
    }

    #[inline]
    pub fn advice(&self) -> Option<&Advice> {
        self.0.advice.as_deref()
    }

    #[inline]
    pub fn left_out(&self) -> usize {
        self.0.left_out
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.0.code, self.message())
    }
}

impl fmt::Debug for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fault")
            .field("code", &self.0.code)
            .field("message", &self.message())
            .field("details", &self.details_json())
            .field("status", &self.status())
            .field("source", &self.0.source)
            .finish_non_exhaustive()
    }
}

impl Error for Fault {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.source.as_deref().map(|source| source as _)
    }
}

impl fmt::Display for Lacking {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.why)
    }
}

impl Error for Lacking {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

impl From<ErrorCode> for Fault {
    fn from(code: ErrorCode) -> Self {
        Self::new(code)
    }
}

/// Returns the fault with the [code of the status](ErrorCode::of_status), for `?` on `Result<_, StatusCode>`. A 401 is
/// always `auth_invalid`, even if the request has no credentials. A status outside 400–599 is an `internal_error`,
/// because it does not mean an error.
impl From<StatusCode> for Fault {
    fn from(status: StatusCode) -> Self {
        Self::new(ErrorCode::of_status(status)).with_status(status)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_is_one_word() {
        assert_eq!(size_of::<Fault>(), size_of::<usize>());
        assert_eq!(size_of::<Result<(), Fault>>(), size_of::<usize>());
    }

    #[test]
    fn e2_an_empty_message_is_the_codes_own() {
        assert_eq!(Fault::new(ErrorCode::NO_OP).with_message(" \n").message(), "Already in the requested state.");
    }

    #[test]
    fn r12_a_text_that_nobody_said_is_not_its_own() {
        let own = |fault: &Fault| fault.own_message().map(Cow::into_owned);
        assert_eq!(own(&Fault::new(ErrorCode::NO_OP)), None);
        assert_eq!(own(&Fault::new(ErrorCode::NO_OP).with_message(" ")), None);
        let stock = Fault::new(ErrorCode::NO_OP).with_stock_message("Made up.");
        assert_eq!((own(&stock), &*stock.message()), (None, "Made up."));
        assert_eq!(own(&stock.clone().with_message("Said.")).as_deref(), Some("Said."));
        assert_eq!(own(&stock.with_clean_message("Read.".into())).as_deref(), Some("Read."));
    }

    #[test]
    fn e2_the_catalogues_texts_are_clean() {
        for code in ErrorCode::ALL {
            assert_eq!(message::clean(code.message()).as_deref(), Some(code.message()));
        }
        assert_eq!(
            Fault::new(ErrorCode::custom("seat_taken", 409).with_message("\n")).message(),
            ErrorCode::CONFLICT.message()
        );
    }

    #[test]
    fn r8_the_last_retry_after_holds_in_whole_seconds() {
        for (wait, seconds) in [
            (Duration::ZERO, "0"),
            (Duration::from_nanos(1), "1"),
            (Duration::from_secs(30), "30"),
            (Duration::MAX, "18446744073709551615"),
        ] {
            let fault =
                Fault::new(ErrorCode::RATE_LIMITED).with_retry_after(Duration::from_secs(7)).with_retry_after(wait);
            assert_eq!(fault.headers().get_all(RETRY_AFTER).iter().collect::<Vec<_>>(), [seconds]);
        }
    }

    #[test]
    fn details_that_are_no_json_are_left_out_and_told() {
        let map = std::collections::HashMap::from([((1, 2), 3)]);
        let fault = Fault::new(ErrorCode::CONFLICT).with_details(map);
        assert_eq!(fault.details_json(), None);
        assert!(Error::source(&fault).is_some());
    }

    #[test]
    fn details_are_read_as_the_callers_type() {
        let fault = Fault::new(ErrorCode::CONFLICT).with_details([1, 2]);
        assert_eq!((fault.details_json(), fault.details().unwrap()), (Some("[1,2]"), Some(vec![1, 2])));
        assert!(fault.details::<String>().is_err());
        assert_eq!(Fault::new(ErrorCode::CONFLICT).details::<String>().unwrap(), None);
    }

    #[test]
    fn a_header_that_cannot_be_one_is_left_out_and_told() {
        let fault = Fault::new(ErrorCode::CONFLICT).with_header("x-a", "1").with_header(RETRY_AFTER, 30);
        assert_eq!((&fault.headers()["x-a"], &fault.headers()["retry-after"]), (&1.into(), &30.into()));
        for (name, value) in [("x a", "1"), ("x-b", "1\n")] {
            let fault = Fault::new(ErrorCode::CONFLICT).with_header(name, value.to_owned());
            assert!(!fault.has_headers() && Error::source(&fault).is_some(), "{name}");
            let sourced = Fault::new(ErrorCode::CONFLICT).with_source("the cause").with_header(name, value.to_owned());
            for fault in [sourced, fault.with_source("the cause")] {
                let why = Error::source(&fault).unwrap();
                assert!(why.to_string().starts_with("a header cannot be sent: "), "{why}");
                assert_eq!(why.source().unwrap().to_string(), "the cause");
            }
        }
    }

    #[test]
    fn r1_a_status_is_the_fault_of_its_code() {
        for (status, code, sent) in
            [(429, "rate_limited", 429), (418, "bad_request", 418), (502, "other", 502), (200, "internal_error", 500)]
        {
            let fault = Fault::from(StatusCode::from_u16(status).unwrap());
            assert_eq!((fault.code().as_str(), fault.status().as_u16()), (code, sent));
        }
    }

    #[test]
    fn a_status_that_is_no_error_is_ignored() {
        assert_eq!(Fault::new(ErrorCode::GONE).with_status(StatusCode::OK).status(), 410);
        assert_eq!(Fault::new(ErrorCode::GONE).with_status(99).status(), 410);
        assert_eq!(Fault::new(ErrorCode::GONE).with_status(StatusCode::NOT_FOUND).status(), 404);
        assert_eq!(Fault::new(ErrorCode::GONE).with_status(404).status(), 404);
    }
}
