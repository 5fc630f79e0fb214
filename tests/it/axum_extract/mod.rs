//! Tests the crate's extractors for axum, own errors that `?` converts, and the log line at the start.

mod inputs;
mod own_errors;
mod rejections;
mod started;
mod stock;
mod validated;
