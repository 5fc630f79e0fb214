//! Maps errors of tokio, tower, hyper and tonic to codes (rule F1). The core does not depend on these crates.
//!
//! Errors of tower, hyper and tonic are recognised only with the feature of the same name. Without this feature, the
//! code follows from the causes of such an error.

use std::error::Error;
#[cfg(any(feature = "hyper", feature = "tower"))]
use std::fmt::{self, Write};

use error_envelope_core::cause::chain;
use error_envelope_core::session::{CauseKind, ProxyError, Recognised};
#[cfg(any(feature = "hyper", feature = "tower"))]
use error_envelope_runtime::catch;

/// Recognises errors of tokio, tower, hyper and tonic as the layer does (rule F1). Pass it to
/// `SessionConfig::recogniser` in your own adapter. Errors of tower, hyper and tonic are recognised only with the
/// feature of the same name.
#[must_use]
pub fn recognise(error: &(dyn Error + 'static)) -> Option<Recognised> {
    #[cfg(feature = "tonic")]
    if let Some(fault) = error_envelope_fault::grpc_status::fault_of_cause(error) {
        return Some(Recognised::Fault(fault));
    }
    let kind = chain(error).filter_map(kind_of_cause).min();
    #[cfg(feature = "hyper")]
    let kind = kind.into_iter().chain(kind_of_hyper(error)).min();
    kind.map(Recognised::Kind)
}

fn kind_of_cause(cause: &(dyn Error + 'static)) -> Option<CauseKind> {
    if cause.is::<tokio::time::error::Elapsed>() {
        return Some(CauseKind::Timeout);
    }
    #[cfg(feature = "tonic")]
    if cause.is::<tonic::TimeoutExpired>() {
        return Some(CauseKind::Timeout);
    }
    #[cfg(feature = "tower")]
    match cause {
        _ if cause.is::<tower::timeout::error::Elapsed>() => return Some(CauseKind::Timeout),
        _ if cause.is::<tower::load_shed::error::Overloaded>() => return Some(CauseKind::Shed),
        _ if is_of_buffer(cause) => return Some(CauseKind::Buffer),
        _ => {}
    }
    None
}

/// Returns true if tower's buffer or the service behind the buffer failed. Such errors are recognised by their texts,
/// because tower's types would require every build to include the buffer. Sizes are compared first, because comparing
/// texts is expensive.
#[cfg(feature = "tower")]
fn is_of_buffer(error: &(dyn Error + 'static)) -> bool {
    size_of_val(error) == 0 && has_text(error, "buffer's worker closed unexpectedly")
        || size_of_val(error) == size_of::<usize>()
            && error.source().is_some()
            && is_text(error, "buffered service failed: ", true)
}

/// Returns the kind of an error of hyper. The outermost `hyper::Error` decides, or an error of hyper's pooled client
/// anywhere in the chain. What hyper calls a user error is always the program's own mistake, so it gets no kind.
#[cfg(feature = "hyper")]
fn kind_of_hyper(error: &(dyn Error + 'static)) -> Option<CauseKind> {
    use error_envelope_core::cause::find;

    let hyper = find::<hyper::Error>(error);
    if hyper.is_some_and(hyper::Error::is_timeout) {
        Some(CauseKind::Timeout)
    } else if hyper.is_some_and(|error| !error.is_user()) || chain(error).any(is_failed_connect) {
        Some(CauseKind::Connection)
    } else {
        None
    }
}

/// Returns true if hyper-util's pooled client could not connect. Such an error is recognised by its text, because its
/// type would require every build to include the client. Such an error always has a cause, so the text of an error
/// without a cause is not compared.
#[cfg(feature = "hyper")]
fn is_failed_connect(error: &(dyn Error + 'static)) -> bool {
    error.source().is_some() && has_text(error, "client error (Connect)")
}

#[cfg(any(feature = "hyper", feature = "tower"))]
fn has_text(error: &(dyn Error + 'static), text: &str) -> bool {
    is_text(error, text, false)
}

/// Returns true if the text of an error is `text`, or begins with `text` if `may_go_on` is true. This needs no
/// allocation. Returns false if formatting the error panics.
#[cfg(any(feature = "hyper", feature = "tower"))]
fn is_text(error: &(dyn Error + 'static), text: &str, may_go_on: bool) -> bool {
    /// The part of the text that must still follow, or `None` after a difference. A write never returns an error,
    /// because some `Display` implementations panic if a write fails.
    struct Remaining<'t>(Option<&'t str>, bool);

    impl fmt::Write for Remaining<'_> {
        fn write_str(&mut self, part: &str) -> fmt::Result {
            let is_end = |text: &&str| self.1 && part.starts_with(text);
            self.0 = self.0.and_then(|text| text.strip_prefix(part).or_else(|| Some(text).filter(is_end).map(|_| "")));
            Ok(())
        }
    }

    let mut remaining = Remaining(Some(text), may_go_on);
    // Formatting the error runs the user's code (F2).
    let written = catch(|| write!(remaining, "{error}"));
    matches!(written, Ok(Ok(()))) && remaining.0 == Some("")
}

/// Returns the type of an error of hyper for the header `Proxy-Status` (rule L4).
pub(super) fn proxy_error(error: &(dyn Error + 'static)) -> Option<ProxyError> {
    #[cfg(feature = "hyper")]
    if let Some(error) = error_envelope_core::cause::find::<hyper::Error>(error) {
        return Some(match error {
            // hyper has `is_parse_too_large` only with its feature `server`.
            _ if error.is_parse() && has_text(error, "message head is too large") => {
                ProxyError::HttpResponseHeaderSectionSize
            }
            _ if error.is_parse() => ProxyError::HttpProtocolError,
            _ if error.is_timeout() => ProxyError::HttpResponseTimeout,
            _ => ProxyError::ConnectionTerminated,
        });
    }
    let _ = error;
    None
}

#[cfg(all(test, feature = "tonic", feature = "tower"))]
mod tests {
    use std::sync::Arc;
    use std::{fmt, io};

    use error_envelope_core::code::ErrorCode;
    use error_envelope_core::fault::Fault;
    use error_envelope_core::policy::Policy;
    use error_envelope_core::session::{BodyFacts, BoxError, Ending, Session, SessionConfig};
    use http::Request;
    use tonic::{Code, Status, TimeoutExpired};
    use tower::load_shed::error::Overloaded;
    use tower::timeout::error::Elapsed;

    use super::*;

    fn code_of(error: &(dyn Error + 'static)) -> String {
        let mut config = SessionConfig::new(Policy::default(), error_envelope_runtime::now);
        config.recogniser = Some(recognise);
        let (mut head, ()) = Request::new(()).into_parts();
        let body = BodyFacts { ended: true, lower: 0, upper: Some(0) };
        let (mut session, _) =
            Session::begin(Arc::new(config), &mut head, body, error_envelope_runtime::new_request_id);
        let failure = session.classify(error).expect("nothing guards it");
        let record = session.end(Ending::Failed(failure, "".into())).expect("it has not ended").record;
        record.code().map(|code| code.as_str().to_owned()).unwrap_or_default()
    }

    #[cfg(feature = "hyper")]
    #[tokio::test]
    async fn f1_a_failed_connect_of_the_pooled_client_is_a_broken_connection() {
        use http_body_util::Empty;
        use hyper_util::client::legacy::{Client, connect::HttpConnector};
        use hyper_util::rt::TokioExecutor;

        let client: Client<HttpConnector, Empty<bytes::Bytes>> = Client::builder(TokioExecutor::new()).build_http();
        let error = client.get(http::Uri::from_static("https://no.such.scheme/")).await.unwrap_err();
        assert!(error.is_connect());
        assert_eq!(code_of(&io::Error::other(error)), "other");
        // An error with this text but without a cause does not come from hyper's client.
        assert_eq!(code_of(&io::Error::other("client error (Connect)")), "internal_error");
    }

    #[test]
    fn f1_an_error_that_insists_on_being_written_is_classified_by_its_cause() {
        #[derive(Debug)]
        struct Insisting(io::Error);

        impl fmt::Display for Insisting {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("x").expect("a writer that accepts all");
                Ok(())
            }
        }

        impl Error for Insisting {
            fn source(&self) -> Option<&(dyn Error + 'static)> {
                Some(&self.0)
            }
        }

        assert_eq!(code_of(&Insisting(io::ErrorKind::TimedOut.into())), "gateway_timeout");
    }

    #[test]
    fn f1_a_cause_of_another_crate_decides_the_code() {
        let buried = |error: BoxError| io::Error::other(io::Error::other(error));
        let timed_out = Status::from_error(Box::new(TimeoutExpired(())));
        assert_eq!(timed_out.code(), Code::Cancelled, "tonic's own idea of it");
        let unknown = Status::from_error(Box::new(Elapsed::new()));
        for (error, code) in [
            (buried(Box::new(Elapsed::new())), "gateway_timeout"),
            (buried(Box::new(Overloaded::new())), "worker_at_capacity"),
            (buried(Box::new(Status::permission_denied(""))), "forbidden"),
            (buried(Box::new(Status::from(Fault::new(ErrorCode::RATE_LIMITED)))), "rate_limited"),
            (buried(Box::new(timed_out)), "gateway_timeout"),
            (buried(Box::new(TimeoutExpired(()))), "gateway_timeout"),
            (buried(Box::new(Status::unknown("s3cr3t"))), "internal_error"),
            (buried(Box::new(unknown)), "gateway_timeout"),
            (buried("secret".into()), "internal_error"),
        ] {
            assert_eq!(code_of(&error), code, "{error:?}");
        }
    }
}
