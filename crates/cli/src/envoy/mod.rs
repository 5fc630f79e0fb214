//! Envoy's configuration with the module of `error-envelope-envoy` in it, or with the [`processor`]: [`config`] writes one, with
//! [`services`] of a policy in it, [`check`] reads one.

pub(crate) mod check;
pub(crate) mod config;
mod processor;
mod services;
mod yaml;
