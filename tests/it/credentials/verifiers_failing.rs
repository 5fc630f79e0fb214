//! Tests that a verifier that fails, panics, hangs or is missing lets nobody in: 503, with its cause in the log (G2,
//! F2).

use std::error::Error;
use std::fmt;
use std::future::Future;
use std::pin::{Pin, pin};
use std::task::Waker;
use std::time::Duration;

use tokio::time::Instant;
use tower_error_envelope::auth::{CredentialRequest, Verified, Verifier};

use super::*;
use crate::kit::{SECRET, logged, only};
use crate::wait::TOO_LONG;

type Outcome = Result<Verified, BoxError>;

/// The ways in which a verifier fails.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Wrong {
    Errs,
    ErrsBadly(Badly),
    PanicsAtOnce,
    Panics,
    PanicsAsItIsDropped,
    PanicsTwice,
    Hangs,
    HangsAndPanicsAsItIsDropped,
}

use Wrong::*;

impl Verifier for Wrong {
    fn verify(&self, _: CredentialRequest) -> impl Future<Output = Outcome> + Send {
        assert!(*self != PanicsAtOnce, "{SECRET}");
        Going(*self)
    }
}

struct Going(Wrong);

impl Future for Going {
    type Output = Outcome;

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Outcome> {
        match self.0 {
            Errs => Poll::Ready(Err(SECRET.into())),
            ErrsBadly(badly) => Poll::Ready(Err(badly.into())),
            Panics | PanicsTwice => panic!("{SECRET}"),
            Hangs | HangsAndPanicsAsItIsDropped => Poll::Pending,
            _ => Poll::Ready(Ok(Verified::granted("anna"))),
        }
    }
}

impl Drop for Going {
    fn drop(&mut self) {
        if matches!(self.0, PanicsAsItIsDropped | PanicsTwice | HangsAndPanicsAsItIsDropped)
            && !std::thread::panicking()
        {
            panic!("{SECRET}");
        }
    }
}

/// An error with own code that panics.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Badly {
    Shown,
    Dropped,
}

struct BadError(Badly);

impl From<Badly> for BoxError {
    fn from(badly: Badly) -> Self {
        Box::new(BadError(badly))
    }
}

impl fmt::Debug for BadError {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        panic!("{SECRET}")
    }
}

impl fmt::Display for BadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        assert!(self.0 != Badly::Shown, "{SECRET}");
        f.write_str(SECRET)
    }
}

impl Error for BadError {}

impl Drop for BadError {
    fn drop(&mut self) {
        assert!(self.0 != Badly::Dropped || std::thread::panicking(), "{SECRET}");
    }
}

fn layer(wrong: Wrong) -> ErrorEnvelopeLayer {
    policy(custom(AuthScheme::custom())).verifier("partner", wrong)
}

fn request() -> Request<AnyBody> {
    get("/x").header("authorization", "Bearer key-live-1").body(empty()).unwrap()
}

#[test]
fn g2_whatever_a_verifier_does_wrong_is_503_within_its_time_and_lets_nobody_in() {
    for (wrong, milliseconds, cause) in [
        (Errs, 0, SECRET),
        (ErrsBadly(Badly::Shown), 0, "an error whose Display implementation panicked: s3cr3t"),
        (ErrsBadly(Badly::Dropped), 0, SECRET),
        (PanicsAtOnce, 0, "the verifier panicked: s3cr3t"),
        (Panics, 0, "the verifier panicked: s3cr3t"),
        (PanicsAsItIsDropped, 0, "the verifier panicked: s3cr3t"),
        (PanicsTwice, 0, "the verifier panicked: s3cr3t"),
        (Hangs, 2000, "the verifier took longer than 2s"),
        (HangsAndPanicsAsItIsDropped, 2000, "the verifier took longer than 2s"),
    ] {
        let layer = layer(wrong);
        let ((answer, seen), lines) = logged(async {
            let before = Instant::now();
            let inner = Inner::default();
            let mut service = layer.layer(inner.clone());
            let answer = ask(&mut service, request()).await;
            assert!(before.elapsed().as_millis().abs_diff(milliseconds) <= 1, "{wrong:?}: {:?}", before.elapsed());
            // The next request is served in the same way.
            ask(&mut service, request()).await.expect_envelope(503, "service_unavailable");
            (answer, inner.seen())
        });
        let error = answer.expect_envelope(503, "service_unavailable");
        assert_eq!(error["message"], "The service is unavailable.");
        assert!(seen.is_empty() && !format!("{answer:?}").contains(SECRET), "{wrong:?}: {answer:?}");
        assert_eq!(answer.header("www-authenticate"), None);
        assert_eq!(lines.len(), 2, "{wrong:?}: {lines:#?}");
        let line = &lines[0];
        assert_eq!((&*line.level, line.field("origin")), ("WARN", Some("guard")), "{wrong:?}");
        assert!(line.text.contains(cause), "{wrong:?}: {}", line.text);
        assert!(!line.text.contains("key-live-1"));
    }
}

#[test]
fn g2_the_time_out_is_the_schemes() {
    let patient = policy(custom(AuthScheme::custom().timeout(Duration::from_millis(250)))).verifier("partner", Hangs);
    logged(async {
        let before = Instant::now();
        once(&patient, request()).await.0.expect_envelope(503, "service_unavailable");
        assert!(before.elapsed().as_millis().abs_diff(250) <= 1);
    });
}

#[test]
fn f2_a_client_that_goes_away_is_logged_once() {
    for wrong in [Hangs, HangsAndPanicsAsItIsDropped] {
        let ((), lines) = logged(async {
            let mut service = layer(wrong).layer(Inner::default());
            let Ok(ready) = service.ready().await;
            let mut call = pin!(ready.call(request()));
            assert!(call.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        });
        let line = only(&lines);
        assert_eq!((&*line.level, line.field("origin"), line.field("status")), ("INFO", Some("abandoned"), None));
    }
}

#[test]
fn g2_a_scheme_without_its_verifier_is_logged_once_and_lets_nobody_in() {
    let (answers, log) = crate::cases::logs::captured(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let layer = policy(custom(AuthScheme::custom())).verifier("another", Errs);
            let services = [layer.layer(Inner::default()), layer.clone().layer(Inner::default())];
            let mut answers: Vec<Answer> = Vec::new();
            for mut service in services {
                answers.push(ask(&mut service, request()).await);
            }
            answers
        })
    });
    answers.iter().for_each(|answer| drop(answer.expect_envelope(503, "service_unavailable")));
    let at_start = log.lines().filter(|line| line.contains("ERROR") && line.contains("schemes=\"partner\""));
    assert_eq!(at_start.count(), 1, "{log}");
    assert!(log.contains("add ErrorEnvelopeLayer::verifier(\"partner\", …)"), "{log}");
    assert_eq!(log.matches("the layer has no verifier for this scheme").count(), 2, "{log}");
}

/// An extension's `Clone` is the user's code too.
#[test]
fn f2_a_request_that_cannot_be_copied_is_503() {
    struct Uncopyable;
    impl Clone for Uncopyable {
        fn clone(&self) -> Self {
            panic!("{SECRET}")
        }
    }

    let layer = policy(custom(AuthScheme::custom()))
        .verifier("partner", |_: CredentialRequest| async { Ok::<_, BoxError>(Verified::granted("anna")) });
    let request = get("/x").extension(Uncopyable).body(empty()).unwrap();
    let ((answer, seen), lines) = logged(once(&layer, request));
    answer.expect_envelope(503, "service_unavailable");
    assert!(seen.is_empty() && only(&lines).text.contains("panicked when it was copied"), "{lines:?}");
}

/// Without a timer or a runtime, the clock is checked when something else wakes the request.
#[test]
fn f2_without_a_timer_the_clock_is_checked() {
    let layer = policy(custom(AuthScheme::custom().timeout(Duration::from_millis(1)))).verifier("partner", Hangs);
    let mut service = layer.layer(Inner::default());
    let (response, log) = crate::cases::logs::captured(|| {
        let mut call = pin!(service.call(request()));
        let begun = std::time::Instant::now();
        loop {
            if let Poll::Ready(Ok(response)) = call.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
                return response.status();
            }
            assert!(begun.elapsed() < TOO_LONG, "it waits for a timer that is not there");
        }
    });
    assert_eq!(response, 503);
    assert!(log.contains("took longer than 1ms"), "{log}");
}
