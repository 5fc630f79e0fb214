//! Runs the gateway as a process between a raw upstream and a raw client, over HTTP/1 or HTTP/2.
//!
//! One process serves all rows with the same policy. Its rows run one after the other, so that the upstream's script
//! and the log belong to one row. Lots run in parallel, because most of the time is spent waiting.

use std::collections::{BTreeMap, HashSet};
use std::net::SocketAddr;

use super::always::in_process_only;
use super::drive::{Driver, Outcome, say};
use super::format::{Case, Fails, Version};
use super::inside;
use super::process::{Process, Proxy, newer_source};
use super::seen::{Call, Facts, Run};
use super::upstream::Upstream;
use super::{http1, http2};
use crate::wait::{found, when};

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Gateway {
    Http1,
    Http2,
}

/// The number of rows for one process, small enough that the lots spread over the cores.
const LOT: usize = 16;

impl Driver for Gateway {
    type Session = Option<Session<Process>>;

    fn name(&self) -> &'static str {
        match self {
            Self::Http1 => "gateway-h1",
            Self::Http2 => "gateway-h2",
        }
    }

    fn lots(&self, cases: Vec<Case>) -> Vec<Vec<Case>> {
        if let Some(source) = newer_source() {
            let advice = "`cargo build -p error-envelope-cli`, or a whole `cargo test`";
            say(&format!("{}: {} is newer than the gateway: {advice}", self.name(), source.display()));
        }
        lots(cases)
    }

    fn run(&self, session: &mut Option<Session<Process>>, case: &Case) -> Outcome {
        match not_here(case, *self == Self::Http2) {
            Some(why) => Outcome::NotMine(why),
            None => run(session, case, *self == Self::Http2),
        }
    }
}

/// Divides the cases into lots, each for one process.
pub(super) fn lots(cases: Vec<Case>) -> Vec<Vec<Case>> {
    let mut lots = BTreeMap::<String, Vec<Case>>::new();
    for case in cases {
        lots.entry(key(&case)).or_default().push(case);
    }
    lots.into_values().flat_map(|lot| lot.chunks(LOT).map(<[Case]>::to_vec).collect::<Vec<_>>()).collect()
}

/// Runs a case on a running process, or starts one.
pub(super) fn run<P: Proxy>(session: &mut Option<Session<P>>, case: &Case, http2: bool) -> Outcome {
    if session.is_none() {
        match Session::start(case) {
            Ok(started) => *session = Some(started),
            Err(text) => return Outcome::Ran(Run { refused: Some(text), ..Run::default() }),
        }
    }
    let running = session.as_mut().expect("started above");
    let run = running.run(http2, case);
    // The next row must not inherit a failure, nor a connection that the upstream holds and then releases.
    let holds = case.inner.stalls || case.inner.holds;
    // A cut body may get its response before its call arrives, and the call would then belong to the next row.
    let late = case.inner.called != Some(false) && run.calls.len() < run.exchanges.len();
    let failed = run.exchanges.iter().any(|exchanged| exchanged.response.is_err());
    if failed || case.reload.is_some() || holds || late || needs_whole_log(case) {
        *session = None;
    }
    Outcome::Ran(run)
}

/// Returns the reason if a socket cannot show the case, or cannot show it over this protocol.
pub(super) fn not_here(case: &Case, http2: bool) -> Option<&'static str> {
    let version = case.request.version;
    let upgrades =
        case.request.upgrade_send.is_some() || case.inner.upgraded.is_some() || case.inner.status == Some(101);
    let http1 = !http2;
    [
        (in_process_only(case.inner.fails), "a socket cannot show this failure"),
        (case.inner.fault.is_some(), "a fault is a value of Rust's"),
        (http1 && version == Some(Version::Http2), "the case is of HTTP/2"),
        (http2 && matches!(version, Some(Version::Http10 | Version::Http11)), "the case is of HTTP/1"),
        (http2 && case.request.raw().is_some(), "raw bytes are HTTP/1"),
        (http2 && upgrades, "HTTP/2 has no upgrades"),
        (http2 && http2::request(case).is_none(), "HTTP/2 cannot say this request"),
    ]
    .into_iter()
    .find_map(|(applies, why)| applies.then_some(why))
}

/// Rows with the same key share a process. A reload and a refusal change the process, so such a row has its own.
fn key(case: &Case) -> String {
    let own = if case.reload.is_some() || case.expect.refused.is_some() { case.name.as_str() } else { "" };
    let closed = case.inner.fails == Some(Fails::Refused);
    let (file, chain) = (case.policy_file.as_ref().map(|file| case.folder.join(file)), case.chain);
    format!("{own} {closed} {chain} {file:?} {:?} {:?} {:?}", case.policy, case.files, case.env)
}

/// Gateways in a row, with the client's first, and the service behind the last one.
pub(super) struct Session<P> {
    gateways: Vec<P>,
    upstream: Option<Upstream>,
    /// The ids of the earlier rows, whose last log lines come a moment later.
    earlier: HashSet<String>,
    /// A port without a listener, which nobody else can take.
    _closed: tokio::net::TcpSocket,
}

impl<P: Proxy> Session<P> {
    fn start(case: &Case) -> Result<Self, String> {
        let closed = tokio::net::TcpSocket::new_v4().expect("a socket");
        closed.bind(SocketAddr::from(([127, 0, 0, 1], 0))).expect("a port");
        let upstream = (case.inner.fails != Some(Fails::Refused)).then(Upstream::start);
        let mut behind = match &upstream {
            Some(upstream) => upstream.address,
            None => closed.local_addr().expect("its address"),
        };
        let mut gateways = Vec::new();
        for _ in 0..case.chain {
            let gateway = P::start(case, behind)?;
            behind = gateway.address();
            gateways.insert(0, gateway);
        }
        Ok(Self { gateways, upstream, earlier: HashSet::new(), _closed: closed })
    }

    fn run(&mut self, http2: bool, case: &Case) -> Run {
        self.upstream.iter().for_each(|upstream| upstream.play(&case.inner));
        let starts: Vec<usize> = self.gateways.iter().map(P::log_length).collect();
        if let Some(policy) = &case.reload {
            self.gateways.iter().for_each(|gateway| gateway.reload(policy));
        }
        let address = self.gateways[0].address();
        let exchanges = if http2 { http2::exchanges(address, case) } else { http1::exchanges(address, case) };
        let facts = Facts { http2, processes: case.chain, over_socket: true };
        let mut run = Run { exchanges, calls: self.calls(case), facts, ..Run::default() };
        let ids = ids(&run);
        self.earlier.retain(|id| !ids.contains(id));
        self.wait_for_log(case, &mut run, &starts);
        self.earlier.extend(ids);
        run
    }

    /// A call may arrive a moment after its response, and the service may read on. So this waits for what the case
    /// wants.
    fn calls(&self, case: &Case) -> Vec<Call> {
        let Some(upstream) = &self.upstream else { return Vec::new() };
        // If it never arrives, the checker reports it.
        let calls = found(|| {
            let calls = upstream.calls();
            when(case.alternatives.iter().any(|expect| inside::called(case, expect, &calls)), calls)
        });
        calls.unwrap_or_else(|incomplete| incomplete)
    }

    /// The lines come a moment after the response. So this waits until the log has what the case wants.
    fn wait_for_log(&mut self, case: &Case, run: &mut Run, starts: &[usize]) {
        if needs_whole_log(case) {
            self.gateways.iter_mut().for_each(P::end);
        }
        let of_earlier = |line: &str| {
            let id = line.split_once("request_id=").and_then(|(_, rest)| rest.split([' ', '}']).next());
            id.is_some_and(|id| self.earlier.contains(id))
        };
        let log = || {
            let logs = self.gateways.iter().zip(starts).map(|(gateway, start)| gateway.log_from(*start));
            let lines = |log: String| log.split_inclusive('\n').filter(|line| !of_earlier(line)).collect::<String>();
            logs.map(lines).collect::<String>()
        };
        // If they never come, the checker reports it.
        let _ = found(|| {
            run.log = log();
            when(needs_whole_log(case) || case.alternatives.iter().any(|expect| inside::logged(expect, run)), ())
        });
    }
}

/// A line that a running log lacks may still come.
fn needs_whole_log(case: &Case) -> bool {
    case.alternatives.iter().any(|expect| !expect.log_lacks.is_empty())
}

/// Returns the ids that a row's clients and services saw.
fn ids(run: &Run) -> Vec<String> {
    let responses = run.exchanges.iter().filter_map(|exchanged| exchanged.response.as_ref().ok());
    let heads = responses.map(|response| &response.headers).chain(run.calls.iter().map(|call| &call.headers));
    let ids = heads.flatten().filter(|(name, _)| name.eq_ignore_ascii_case("x-request-id"));
    ids.map(|(_, value)| String::from_utf8_lossy(value).into_owned()).collect()
}
