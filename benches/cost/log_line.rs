//! Measures the cost of the log, and the share of tracing in it. For comparison, a service writes the same span and the
//! same line by hand.

use std::fmt::Write as _;
use std::io;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use tower_error_envelope::ErrorEnvelopeLayer;
use tower_layer::Layer;
use tower_service::Service;
use tracing::level_filters::LevelFilter;
use tracing::{Level, Span, info, info_span};

use crate::Named;
use crate::answer::Answers;
use crate::cases::{Case, Handler};
use crate::counter;

/// The instructions that the layer may need more than the span and the line by hand. Its line comes after the response,
/// so it enters the span once more. The compiler's choices change the figure by some 300 from build to build.
const MOST: f64 = 4_200.0;

/// The subscriber that formats the lines, and discards them.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// No subscriber.
    None,
    /// A subscriber that wants neither the span nor the line.
    Errors,
    Colour,
    Json,
}

/// The code that makes the span and the line.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Writer {
    Layer,
    ByHand,
}

impl Named for Format {
    const ALL: &'static [Self] = &[Self::None, Self::Errors, Self::Colour, Self::Json];

    fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Errors => "errors only",
            Self::Colour => "colour",
            Self::Json => "JSON",
        }
    }
}

impl Named for Writer {
    const ALL: &'static [Self] = &[Self::Layer, Self::ByHand];

    fn name(self) -> &'static str {
        match self {
            Self::Layer => "layer",
            Self::ByHand => "by hand",
        }
    }
}

impl Format {
    fn install(self) {
        let lines = || tracing_subscriber::fmt().with_max_level(Level::INFO).with_writer(io::sink);
        let _ = match self {
            Self::None => Ok(()),
            Self::Errors => tracing::subscriber::set_global_default(lines().with_max_level(Level::ERROR).finish()),
            Self::Colour => tracing::subscriber::set_global_default(lines().finish()),
            Self::Json => tracing::subscriber::set_global_default(lines().json().finish()),
        };
    }
}

/// The handler in the layer's span, with the layer's line for its 404.
struct ByHand(Handler);

impl Answers for ByHand {
    fn answer(&mut self, request: Request<Full<Bytes>>) -> Option<Response<Bytes>> {
        const ID: &str = "req_01JD2V5W8Z3Q4R6T8Y0A1B2C3D";

        let span = match Level::INFO <= LevelFilter::current() {
            true => info_span!(target: "tower_error_envelope::request", "envelope", request_id = %ID),
            false => Span::none(),
        };
        let mut future = pin!(span.in_scope(|| self.0.call(request)));
        let Poll::Ready(response) = span.in_scope(|| future.as_mut().poll(&mut Context::from_waker(Waker::noop())))
        else {
            panic!("nothing in a stack waits")
        };
        let response = response.ok()?;
        if response.status() == StatusCode::NOT_FOUND {
            span.in_scope(|| {
                info!(
                    target: "tower_error_envelope",
                    request_id = %ID,
                    code = "not_found",
                    status = response.status().as_u16(),
                    origin = "inner",
                    method = "GET",
                    mode = "enforce",
                    decided_by = "status",
                    "request failed"
                );
            });
        }
        Some(response.map(|_| Bytes::new()))
    }
}

/// Sends this many requests, twice.
pub(crate) fn run(format: Format, writer: Writer, case: Case, requests: u64) {
    counter::with_runtime(|| {
        format.install();
        let mut stack: Box<dyn Answers> = match writer {
            Writer::Layer => Box::new(ErrorEnvelopeLayer::new().layer(Handler(case))),
            Writer::ByHand => Box::new(ByHand(Handler(case))),
        };
        counter::twice(|| (0..requests).for_each(|_| drop(std::hint::black_box(stack.answer(case.request())))));
    });
}

/// Returns the table of what a subscriber adds to a request, and a line for each cost that is too high.
pub(crate) fn table() -> (String, Vec<String>) {
    let mut text = format!("{:<12} {:<10} {:>6} {:>8} {:>7}\n", "log", "case", "layer", "by hand", "ours");
    let mut risen = Vec::new();
    for format in [Format::Errors, Format::Colour, Format::Json] {
        for case in [Case::Happy, Case::Empty404] {
            let (layer, by_hand) = (added(format, Writer::Layer, case), added(format, Writer::ByHand, case));
            let (log, case, ours) = (format.name(), case.name(), layer - by_hand);
            let _ = writeln!(text, "{log:<12} {case:<10} {layer:>6.0} {by_hand:>8.0} {ours:>7.0}");
            if ours > MOST {
                risen.push(format!("{case}, {log}: {ours:.0} more than by hand, and {MOST:.0} at most"));
            }
        }
    }
    (text, risen)
}

fn added(format: Format, writer: Writer, case: Case) -> f64 {
    let count = |format: Format| counter::instructions(&["--log", format.name(), writer.name(), case.name()], 1);
    count(format) - count(Format::None)
}
