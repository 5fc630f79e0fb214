//! Envoy configurations with the module of `error-envelope-envoy`, or with the external [`processor`]: [`config`]
//! writes one, including the [`services`] of a policy, and [`check`] checks one.

pub(crate) mod check;
pub(crate) mod config;
mod processor;
mod services;
mod yaml;
