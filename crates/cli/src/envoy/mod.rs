//! Envoy's configuration with the module of `error-envelope-envoy` in it: [`config`] writes one, with
//! [`services`] of a policy in it, [`check`] reads one.

pub(crate) mod check;
pub(crate) mod config;
mod services;
mod yaml;
