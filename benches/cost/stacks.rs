//! The layers around the handler.

use tower_error_envelope::{ErrorEnvelopeLayer, Policy};
use tower_layer::Layer;

use crate::Named;
use crate::answer::Answers;
use crate::cases::{Case, Handler};
use crate::fused::Fused;
use crate::today;

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stack {
    /// The handler alone.
    Bare,
    /// tower-http's layers and a map that rewrites bodies.
    Today,
    /// The least that a layer can do: no policy, and three headers on an error. Its cost is the aim.
    Fused,
    /// The layer with its defaults.
    Envelope,
    /// The layer with the policy of a mid-sized service.
    Policy,
    /// The layer with its defaults, and a subscriber that discards its lines.
    Logged,
    /// The layer with its defaults, and a recorder that Prometheus could scrape.
    Recorded,
}

impl Named for Stack {
    const ALL: &'static [Self] =
        &[Self::Bare, Self::Today, Self::Fused, Self::Envelope, Self::Policy, Self::Logged, Self::Recorded];

    fn name(self) -> &'static str {
        match self {
            Self::Bare => "bare",
            Self::Today => "today",
            Self::Fused => "by-hand",
            Self::Envelope => "envelope",
            Self::Policy => "envelope+policy",
            Self::Logged => "envelope+log",
            Self::Recorded => "envelope+rec",
        }
    }
}

impl Stack {
    /// Returns the stack, after checking one of its responses. Figures of a stack that does not do its work mean
    /// nothing.
    pub(crate) fn around(self, case: Case) -> Box<dyn Answers> {
        if self == Self::Logged {
            // A process has only one subscriber. All other rows are measured without one.
            let lines = tracing_subscriber::fmt().with_max_level(tracing::Level::INFO).with_writer(std::io::sink);
            let _ = tracing::subscriber::set_global_default(lines.finish());
        }
        if self == Self::Recorded {
            // The upkeep of the recorder runs on a separate thread, and is not counted here. It reads /proc, which
            // valgrind does not survive.
            metrics::set_global_recorder(error_envelope_admin::metrics_recorder()).expect("one recorder per process");
            tower_error_envelope::middleware::describe_metrics();
            tower_error_envelope::middleware::keep_counters();
        }
        let mut stack = self.build(case);
        if self != Self::Bare {
            case.check(self == Self::Envelope, stack.answer(case.request()));
        }
        stack
    }

    /// Returns the number of processes in which its instructions are counted. A policy's tables hash with seeds that
    /// each process draws.
    pub(crate) fn processes(self) -> usize {
        if self == Self::Policy { 7 } else { 1 }
    }

    /// Returns true if the stack is measured in this case. A case with its own policy is not measured with another
    /// policy.
    pub(crate) fn fits(self, case: Case) -> bool {
        match self {
            _ if matches!(case, Case::Advice | Case::ErrorObject | Case::Rest) => {
                matches!(self, Self::Bare | Self::Today | Self::Envelope)
            }
            Self::Policy => !matches!(case, Case::Fifty | Case::NoCredentials | Case::TooLargeJson),
            Self::Recorded => matches!(case, Case::Happy | Case::Empty404),
            _ => true,
        }
    }

    fn build(self, case: Case) -> Box<dyn Answers> {
        let handler = Handler(case);
        let layer = ErrorEnvelopeLayer::new();
        match self {
            Self::Bare => Box::new(handler),
            Self::Today => today::stack(case),
            Self::Fused => Box::new(Fused(handler)),
            Self::Policy => Box::new(layer.policy(policy()).layer(handler)),
            Self::Envelope | Self::Logged | Self::Recorded => match case.policy() {
                Some(policy) => Box::new(layer.policy(policy).layer(handler)),
                None => Box::new(layer.layer(handler)),
            },
        }
    }
}

fn policy() -> Policy {
    Policy::from_toml("policy.toml", include_str!("policy.toml")).unwrap_or_else(|refused| panic!("{refused}"))
}
