//! The one integration binary.
#![allow(clippy::disallowed_methods, reason = "tests measure real time and start their own tasks")]

mod cases;
mod copies;
mod hyper_matrix;
mod kit;
mod policy_file;
mod routes;
