//! Envoy configurations with the module of `error-envelope-envoy`, or with the external processor: [`config`] fills a
//! template of each, including the [`services`] of a policy.

pub(crate) mod config;
mod services;
mod yaml;
