//! Tests the repository: its floors, pages, words, copies and generated files. Tests of the library are in `tests/it`.
#![allow(clippy::disallowed_methods, reason = "tests measure real time and start their own tasks")]

#[path = "../it/kit/answer.rs"]
mod answer;
mod ci_page;
mod clients_generated;
#[path = "../it/command.rs"]
mod command;
mod contract_page;
mod copies;
mod costs;
mod floors;
mod manual;
mod manual_rpc;
mod policy_manual;
mod protos_generated;
mod readme;
mod rolling_out;
mod stranger;
#[path = "../it/wait.rs"]
mod wait;
