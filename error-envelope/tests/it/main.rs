//! The command as its users run it: what it writes, word by word, and how it ends.

mod check;
mod exports;
mod kit;
mod schema;
mod secrets;
mod usage;
