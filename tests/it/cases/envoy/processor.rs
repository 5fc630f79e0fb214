//! Runs Envoy with the external processor, as two processes between a raw upstream and a raw client.

use std::net::{SocketAddr, TcpStream};

use super::super::drive::{Driver, Outcome};
use super::super::format::Case;
use super::super::gateway::{self, Session};
use super::super::policy::Folder;
use super::super::process::{Process, Proxy};
use super::asking::case;
use super::{Running, as_sent, not_by_envoy, written_with};
use crate::wait::until;

#[derive(Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum ExtProc {
    Http1,
    Http2,
}

impl Driver for ExtProc {
    type Session = Option<Session<Processed>>;

    fn name(&self) -> &'static str {
        match self {
            Self::Http1 => "ext_proc-h1",
            Self::Http2 => "ext_proc-h2",
        }
    }

    fn lots(&self, cases: Vec<Case>) -> Vec<Vec<Case>> {
        gateway::lots(cases)
    }

    fn run(&self, session: &mut Self::Session, case: &Case) -> Outcome {
        let http2 = *self == Self::Http2;
        match gateway::not_here(case, http2).or_else(|| not_by_envoy(case)) {
            Some(why) => Outcome::NotMine(why),
            None => gateway::run(session, case, http2),
        }
    }
}

/// An Envoy and its processor.
pub(in super::super) struct Processed {
    pub(super) processor: Process,
    pub(super) envoy: Running,
}

impl Proxy for Processed {
    fn start(case: &Case, upstream: SocketAddr) -> Result<Self, String> {
        Self::start_with(process(case, "127.0.0.1:0")?, case, upstream, |text| patient(&as_sent(&text)))
    }

    fn address(&self) -> SocketAddr {
        self.envoy.address()
    }

    fn log_from(&self, start: usize) -> String {
        self.processor.log_from(start)
    }

    fn log_length(&self) -> usize {
        self.processor.log_length()
    }

    fn reload(&self, policy: &str) {
        self.processor.reload(policy);
    }

    fn end(&mut self) {
        self.envoy.end();
        self.processor.end();
    }
}

impl Processed {
    /// Starts Envoy with this processor, and with the command's configuration after `change`.
    pub(super) fn start_with(
        processor: Process,
        case: &Case,
        upstream: SocketAddr,
        change: impl FnOnce(String) -> String,
    ) -> Result<Self, String> {
        let folder = Folder::with(case);
        let policy = folder.path().join("any.toml");
        std::fs::write(&policy, "version = 1\n").expect("a temporary folder");
        let more = ["--ext-proc", &processor.address().to_string()];
        let text = written_with(&policy, upstream, &more).expect("a policy that is right");
        let envoy = Running::start_with(case, folder, &change(text))?;
        // The listener has an address before the first health check of the processor ends, and accepts connections
        // after that.
        until("Envoy accepts", || TcpStream::connect(envoy.address()));
        Ok(Self { processor, envoy })
    }
}

/// Raises the message timeout, which the rows do not test. On a busy machine, Envoy would sometimes respond 504.
fn patient(text: &str) -> String {
    let usual = " message_timeout: 0.5s";
    assert!(text.contains(usual), "the configuration says {usual}");
    text.replace(usual, " message_timeout: 10s")
}

/// Starts a processor at this address, with the case's policy.
pub(super) fn process(case: &Case, listen: &str) -> Result<Process, String> {
    Process::start_as(case, &["ext-proc", "--listen", listen, "--workers", "1"])
}

/// Does the same as `start_as_written`, with the processor in place of the module.
pub(super) fn start_processor(policy: &str, upstream: SocketAddr, change: impl FnOnce(String) -> String) -> Processed {
    let case = case(&format!("policy = '''\n{policy}'''\n"));
    let started = process(&case, "127.0.0.1:0");
    let started = started.and_then(|processor| Processed::start_with(processor, &case, upstream, change));
    started.unwrap_or_else(|text| panic!("{text}"))
}
