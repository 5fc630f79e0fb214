//! The crate's extractors for axum, errors of one's own by `?`, and the line at the start.

mod inputs;
mod own_errors;
mod rejections;
mod started;
mod stock;
mod validated;
