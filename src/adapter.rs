//! For people who write an adapter: what each of them needs around its [`exchange`](crate::exchange), and exists once.
//!
//! `InForce` (feature `policy-file`) holds the policy, and follows its files where it is to; [`fresh_id`] makes ids;
//! [`event`] logs and counts what an exchange tells; [`catch`] keeps a panic from going further (F2). The layer is made of
//! the same parts.

#[cfg(feature = "metrics")]
#[cfg_attr(docsrs, doc(cfg(feature = "metrics")))]
pub use crate::middleware::count::describe as describe_metrics;
#[cfg(feature = "policy-file")]
#[cfg_attr(docsrs, doc(cfg(feature = "policy-file")))]
pub use crate::middleware::parts::InForce;
pub use crate::middleware::parts::{answered, catch, clock, event, fresh_id, notes, unenforced};

/// Files that are read anew when they change: our command reads certificates as the layer does policies.
#[cfg(feature = "policy-file")]
#[doc(hidden)]
pub mod folders {
    pub use crate::middleware::file_reader::{FileReader, Look, Patience, Unread};
    pub use crate::middleware::folders::{Changes, Folders, of_file};
    pub use crate::policy::read_regular;
}

#[cfg(feature = "policy-file")]
mod in_envoy;

#[cfg(feature = "policy-file")]
#[doc(hidden)]
pub use in_envoy::{GivenConfig, GivenPolicy};
