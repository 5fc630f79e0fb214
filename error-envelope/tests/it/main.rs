//! The command as its users run it: what it writes, word by word, and how it ends.

mod check;
mod diff;
mod exports;
mod kit;
mod on_call;
mod owner;
mod pages;
mod probe;
mod schema;
mod secrets;
mod service_manual;
mod usage;
