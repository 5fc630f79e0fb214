//! The attacks. Each is a row of the table.

mod bombs;
mod frames;
mod http1;
mod http2;
mod log;
mod policy;
mod stalls;

use std::pin::Pin;

use crate::front::Front;

pub(crate) use frames::{DATA, END_HEADERS, END_STREAM, Frame, HEADERS, head, opening, status};

pub(crate) struct Attack {
    pub(crate) name: &'static str,
    pub(crate) done: &'static str,
    /// The flag or the rule that limits the attack.
    pub(crate) limit: &'static str,
    pub(crate) args: &'static [&'static str],
    pub(crate) policy: &'static str,
    pub(crate) log: Log,
    /// The smallest number of responses that the attack must get, even if this takes long.
    pub(crate) at_least: u64,
    /// The number of the gateway's descriptors that the attack must hold at once before good requests are sent.
    pub(crate) holds: usize,
    pub(crate) go: fn(Front) -> Pin<Box<dyn Future<Output = ()> + Send>>,
}

/// The destination of the gateway's log.
#[derive(Clone, Copy)]
pub(crate) enum Log {
    Read,
    /// A pipe that nobody reads.
    Unread,
    /// A full disk.
    Full,
}

const NO_LIMIT: &str = "version = 1\n[[route]]\nmatch = \"/{*rest}\"\nbody_limit = \"none\"\n";

macro_rules! attacks {
    ($($name:literal: $go:path, $done:literal, $limit:literal $(, args: $args:expr)? $(, policy: $policy:expr)? $(, log: $log:expr)? $(, at_least: $at_least:expr)? $(, holds: $holds:expr)?;)*) => {
        &[$(Attack {
            $(args: $args,)?
            $(policy: $policy,)?
            $(log: $log,)?
            $(at_least: $at_least,)?
            $(holds: $holds,)?
            ..Attack { name: $name, done: $done, limit: $limit, args: &[], policy: "version = 1\n", log: Log::Read, at_least: 1, holds: 0,
                go: |front| Box::pin($go(front)) }
        }),*]
    };
}

/// The attacks in the order of the manual.
pub(crate) static ATTACKS: &[Attack] = attacks! {
    "slow heads": http1::slow_heads, "500 clients send a head a byte at a time, 10 bytes a second", "`--idle-timeout` (here 1s)",
        args: &["--idle-timeout", "1s"];
    "paused bodies": http1::paused_bodies, "500 clients stop within a body", "`--body-timeout` (here 1s)",
        args: &["--body-timeout", "1s"];
    "slow bodies": http1::slow_bodies, "500 clients send a body at 10 bytes a second", "`--max-connections`";
    "slow readers": stalls::slow_readers, "100 clients ask for an endless answer and read none of it",
        "`--max-connections`, `--write-timeout`";
    "idle connections": http1::idle, "10,000 connections that say nothing", "`--max-connections`, `--idle-timeout`",
        args: &["--max-connections", "12000"], holds: http1::IDLE;
    "unknown paths and hosts": http1::unknown, "100,000 paths and hosts that nobody has, then 500 a second",
        "labels are of routes, never of paths", args: &["--admin", "127.0.0.1:0"], at_least: 100_000;
    "large heads": http1::large_heads, "heads of 1 MiB, 100 a second", "`--max-head`";
    "rapid reset": http2::rapid_reset, "streams opened and reset at once, 500 a second", "h2: 20 resets not yet accepted";
    "late reset": http2::late_reset, "streams opened and reset once the service has them, 500 a second", "each is logged as abandoned, and its connection to the service closed";
    "continuation flood": http2::continuation, "heads that never end, 500 frames a second", "`--max-head`, and h2's count of frames by it";
    "ping flood": http2::pings, "2,000 PINGs a second, their answers unread", "h2: one answer at a time";
    "settings flood": http2::settings, "2,000 SETTINGS a second, their answers unread", "h2: one answer at a time";
    "empty data flood": http2::empty_data, "2,000 empty DATA frames a second to a service that reads no body", "h2: a budget of such frames";
    "small data flood": http2::small_data, "2,000 DATA frames of one byte a second to a service that reads no body", "h2: a budget of such frames",
        policy: NO_LIMIT;
    "priority flood": http2::priorities, "2,000 PRIORITY frames a second", "h2: they are ignored";
    "window update flood": http2::window_updates, "2,000 WINDOW_UPDATE frames a second", "h2: a window that overflows ends the connection";
    "many streams": http2::many_streams, "ten times as many streams as are let in, on 4 connections, that a service keeps, 500 a second", "`--max-streams`";
    "header table bomb": http2::table_bomb, "a head that names a large table entry 10,000 times, 100 a second", "`--max-head`, of the unpacked head";
    "window of zero": stalls::window_of_zero, "4 connections with 50 streams each whose windows never open", "`--write-timeout`";
    "window of one": stalls::window_of_one, "4 connections with 50 streams each whose windows open byte by byte", "`--write-timeout`";
    "bombs": bombs::bombs, "error bodies of 100 MiB as gzip, deflate, br, zstd and twice gzip, 50 a second", "64 KiB and 1 s (rules R4, R5)";
    "reloads": policy::reloads, "the policy replaced every 100 ms, every third time by a broken one", "the old policy stays active (rule M2)";
    "full disk": log::many_lines, "errors, 500 a second, and a log whose disk is full", "lines are dropped, and counted", log: Log::Full;
    "unread log": log::many_lines, "errors, 500 a second, and a log that nobody reads", "lines are dropped, and counted", log: Log::Unread;
};
