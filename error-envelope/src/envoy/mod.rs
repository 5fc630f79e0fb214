//! Envoy's configuration with the module of `error-envelope-envoy` in it: [`config`] writes one.

pub(crate) mod config;
