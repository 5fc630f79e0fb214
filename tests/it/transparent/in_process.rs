//! Compares in process what a server would see, poll by poll.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode, Version};
use http_body::Body;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::{Just, Strategy, any, prop_oneof, proptest};
use tower::Layer;
use tower_service::Service;

use super::scripted::{Ended, Hint, Script, Step, all};
use super::services::{Mark, echo, plain, router};
use super::{Headers, Setting};

/// Everything that a server sees of a response.
#[derive(Debug, PartialEq)]
struct Seen {
    status: StatusCode,
    version: Version,
    headers: Headers,
    mark: Option<Mark>,
    polls: Vec<Look>,
}

/// One look at a body, and the result of the poll after it.
#[derive(Debug, PartialEq)]
struct Look {
    ended: bool,
    lower: u64,
    upper: Option<u64>,
    polled: Polled,
}

#[derive(Debug, PartialEq)]
enum Polled {
    Pending,
    Data(Bytes),
    Trailers(HeaderMap),
    Failed,
    End,
}

#[test]
fn e5_m1_each_short_script_passes_as_it_is() {
    let mut compared = 0;
    for script in all() {
        for setting in Setting::ALL {
            let [first, .., last] = setting.statuses() else { unreachable!("there are more") };
            for status in [*first, *last] {
                compared += same(setting, status, "GET", &script);
            }
        }
    }
    println!("{compared} pairs of answers");
}

#[test]
fn e5_m1_each_status_and_method_passes_as_it_is() {
    let steps = [Step::Data("some".into()), Step::Wait, Step::Data("more".into()), Step::Trailers(1)];
    let script = Script { steps: VecDeque::from(steps), hint: Hint::Exact, ended: Ended::Truly };
    for setting in Setting::ALL {
        for status in setting.statuses() {
            for method in ["GET", "HEAD", "POST", "OPTIONS", "DELETE"] {
                same(setting, *status, method, &script);
            }
        }
    }
}

proptest! {
    #[test]
    fn e5_m1_any_script_passes_as_it_is(script in script(), which in any::<proptest::sample::Index>()) {
        for setting in Setting::ALL {
            same(setting, *which.get(setting.statuses()), "GET", &script);
        }
    }
}

fn script() -> impl Strategy<Value = Script> {
    let step = prop_oneof![
        Just(Step::Wait),
        Just(Step::Data(Bytes::new())),
        vec(any::<u8>(), 0..64).prop_map(|data| Step::Data(data.into())),
        any::<u8>().prop_map(Step::Trailers),
    ];
    let fixed = (any::<u64>(), option::of(any::<u64>()))
        .prop_map(|(lower, upper)| Hint::Fixed(lower, upper.map(|upper| upper.max(lower))));
    let hint = prop_oneof![Just(Hint::Unknown), Just(Hint::Exact), Just(Hint::Lower), Just(Hint::Range), fixed];
    let ended = prop_oneof![Just(Ended::Never), Just(Ended::Truly), (0..8_usize).prop_map(Ended::Early)];
    (vec(step, 0..8), hint, ended).prop_map(|(steps, hint, ended)| Script { steps: steps.into(), hint, ended })
}

/// Plays the script through a plain service, an axum router and an echo of the upload, without the layer and with it.
/// Returns the number of compared pairs.
#[track_caller]
fn same(setting: Setting, status: u16, method: &str, script: &Script) -> usize {
    let context = format!("{setting:?}, {status}, {method}, {script:?}");
    let request = || Request::builder().method(method).uri("/").body(script.clone()).unwrap();
    let layer = setting.layer();

    let bare = look(setting, plain(status, script), request());
    assert_eq!(bare, look(setting, layer.layer(plain(status, script)), request()), "a plain service: {context}");
    assert!(!bare.polls.is_empty() && bare.mark == Some(Mark(7)), "{context}");

    let bare = look(setting, router(status, script), request());
    let layered = router(status, script).layer(layer.clone());
    assert_eq!(bare, look(setting, layered, request()), "a router: {context}");
    let around = layer.layer(router(status, script));
    assert_eq!(bare, look(setting, around, request()), "around a router: {context}");

    let bare = look(setting, echo(), request());
    assert_eq!(bare, look(setting, layer.layer(echo()), request()), "an upload: {context}");
    4
}

fn look<S, Q, B>(setting: Setting, mut service: S, request: Request<Q>) -> Seen
where
    S: Service<Request<Q>, Response = Response<B>, Error = Infallible>,
    B: Body<Data = Bytes>,
{
    let (head, body) = at_once(async {
        let Ok(()) = poll_fn(|cx| service.poll_ready(cx)).await;
        let Ok(response) = service.call(request).await;
        response.into_parts()
    });
    let mut body = pin!(body);
    let mut polls = Vec::new();
    loop {
        let (ended, hint) = (body.is_end_stream(), body.size_hint());
        let polled = match body.as_mut().poll_frame(&mut Context::from_waker(Waker::noop())) {
            Poll::Pending => Polled::Pending,
            Poll::Ready(None) => Polled::End,
            Poll::Ready(Some(Err(_))) => Polled::Failed,
            Poll::Ready(Some(Ok(frame))) => match frame.into_data() {
                Ok(data) => Polled::Data(data),
                Err(frame) => frame.into_trailers().map_or(Polled::Failed, Polled::Trailers),
            },
        };
        let over = polled == Polled::End;
        polls.push(Look { ended, lower: hint.lower(), upper: hint.upper(), polled });
        if over {
            break;
        }
        assert!(polls.len() < 100, "no end: {polls:?}");
    }
    let (status, version) = (head.status, head.version);
    Seen { status, version, headers: setting.others(&head.headers), mark: head.extensions.get().cloned(), polls }
}

/// Polls a future once, because no service here waits.
fn at_once<T>(work: impl Future<Output = T>) -> T {
    let mut work = pin!(work);
    for _ in 0..100 {
        if let Poll::Ready(done) = work.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            return done;
        }
    }
    panic!("a head that is not there at once");
}

/// A 204 and a 304 have no body, whoever sends them. A 205 loses its body only in `enforce`.
#[test]
fn e5_a_status_without_a_body_keeps_its_head() {
    let steps = VecDeque::from([Step::Data("some".into()), Step::Trailers(1)]);
    let script = Script { steps, hint: Hint::Unknown, ended: Ended::Truly };
    for status in [204, 205, 304] {
        same(Setting::Off, status, "GET", &script);
        same(Setting::Observe, status, "GET", &script);
        let setting = Setting::Enforce;
        let mut bare = look(setting, plain(status, &script), Request::new(script.clone()));
        let stripped = look(setting, setting.layer().layer(plain(status, &script)), Request::new(script.clone()));
        assert!(matches!(&stripped.polls[..], [Look { ended: true, polled: Polled::End, .. }]), "{stripped:?}");
        if status == 205 {
            bare.headers.push(("content-length".to_owned(), b"0".to_vec()));
        }
        bare.polls.clear();
        assert_eq!(bare, Seen { polls: Vec::new(), ..stripped });
    }
}

/// The comparison would notice a difference.
#[test]
fn what_differs_in_one_thing_looks_different() {
    let steps = VecDeque::from([Step::Data("some".into()), Step::Trailers(1)]);
    let script = Script { steps, hint: Hint::Lower, ended: Ended::Truly };
    let with = |change: fn(&mut Script)| {
        let mut changed = script.clone();
        change(&mut changed);
        look(Setting::Enforce, plain(200, &changed), Request::new(script.clone()))
    };
    let changes: [fn(&mut Script); 7] = [
        |_| {},
        |script| script.hint = Hint::Upper,
        |script| script.ended = Ended::Never,
        |script| script.steps[0] = Step::Data("same".into()),
        |script| script.steps[1] = Step::Trailers(2),
        |script| script.steps.insert(1, Step::Data(Bytes::new())),
        |script| script.steps.insert(1, Step::Wait),
    ];
    for (index, change) in changes.iter().enumerate() {
        for other in &changes[..index] {
            assert_ne!(with(*change), with(*other));
        }
    }
    let rewritten =
        look(Setting::Enforce, Setting::Enforce.layer().layer(plain(404, &script)), Request::new(script.clone()));
    assert_ne!(rewritten, look(Setting::Enforce, plain(404, &script), Request::new(script.clone())));
}
