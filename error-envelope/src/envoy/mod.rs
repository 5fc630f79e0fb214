//! Envoy's configuration with the module of `error-envelope-envoy` in it: [`config`] writes one, [`check`] reads one.

pub(crate) mod check;
pub(crate) mod config;
