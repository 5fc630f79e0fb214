//! Sends requests in shapes that two programs may parse differently, each on a new connection. It compares the
//! response, and the requests that the service received, byte by byte.
//!
//! For each shape, the service must receive one request or none. It must never receive the request that is hidden in a
//! body, two lengths, or trailers with framing fields or credentials.

mod http1;
mod http2;
mod recorder;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::attacks::{Frame, status as status_of};
use crate::gateway::{Folder, Gateway};
use recorder::Recorder;
pub(crate) use recorder::Seen;

/// The right result for a shape.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Expect {
    /// A 4xx, or an end of the connection or of the stream, and no complete request for the service.
    Refused,
    /// 200, and one request for the service.
    One,
    /// The RFC lets the gateway decide.
    Either,
}

/// A shape. Its placeholders are replaced by a path that belongs to this shape, and by a path that no request may
/// reach.
struct Shape {
    name: &'static str,
    expect: Expect,
    says: Says,
}

enum Says {
    Http1(Vec<u8>),
    /// Frames after the preface.
    Http2(Vec<u8>),
}

pub(crate) struct Shaped {
    pub(crate) name: &'static str,
    pub(crate) over: &'static str,
    pub(crate) answered: String,
    expect: Expect,
    seen: Vec<Seen>,
}

const TOO_LONG: Duration = Duration::from_secs(20);
/// An incomplete request ends by these limits.
const ARGS: [&str; 4] = ["--idle-timeout", "1s", "--body-timeout", "1s"];
const POLICY: &str = include_str!("policy.toml");

pub(crate) fn run(binary: &Path) -> Vec<Shaped> {
    let recorder = Arc::<Recorder>::default();
    let service = recorder.start();
    let folder = Folder::new("shapes");
    let policy = folder.path("policy.toml");
    std::fs::write(&policy, POLICY).expect("a policy file");
    let mut command = Gateway::command(binary, &service.url());
    command.args(ARGS).arg("--policy").arg(&policy);
    let gateway = Gateway::run(command);
    let address = gateway.address;
    let answered = Runtime::new().expect("a runtime").block_on(async {
        let mut asked = JoinSet::new();
        for (number, shape) in http1::shapes().into_iter().chain(http2::shapes()).enumerate() {
            asked.spawn(async move {
                let answered = timeout(TOO_LONG, ask(address, number, &shape.says)).await;
                (number, shape, answered.unwrap_or_else(|_| "nothing, and the connection stays".to_owned()))
            });
        }
        asked.join_all().await
    });
    gateway.stopped();
    let mut shaped: Vec<_> = answered
        .into_iter()
        .map(|(number, shape, answered)| {
            let over = match shape.says {
                Says::Http1(_) => "HTTP/1.1",
                Says::Http2(_) => "HTTP/2",
            };
            (number, Shaped { name: shape.name, over, answered, expect: shape.expect, seen: recorder.of_shape(number) })
        })
        .collect();
    shaped.sort_by_key(|(number, _)| *number);
    let mut shaped: Vec<_> = shaped.into_iter().map(|(_, shaped)| shaped).collect();
    let strays = recorder.strays();
    if !strays.is_empty() {
        let name = "requests that nobody sent";
        shaped.push(Shaped { name, over: "any", answered: "-".to_owned(), expect: Expect::Refused, seen: strays });
    }
    shaped
}

fn path(number: usize) -> String {
    format!("/s-{number:04}-")
}

const HIDDEN: &str = "/hidden-";

async fn ask(address: std::net::SocketAddr, number: usize, says: &Says) -> String {
    let Ok(mut stream) = TcpStream::connect(address).await else { return "no connection".to_owned() };
    match says {
        Says::Http1(bytes) => {
            // The gateway may refuse the request before it has read it, and then the rest cannot be written.
            let _ = stream.write_all(&filled(bytes, number)).await;
            let mut answer = Vec::new();
            let _ = stream.read_to_end(&mut answer).await;
            statuses(&answer)
        }
        Says::Http2(frames) => {
            let opening = crate::attacks::opening(None);
            let _ = stream.write_all(&[opening, filled(frames, number)].concat()).await;
            let mut answered = Vec::new();
            while let Ok(frame) = Frame::read(&mut stream).await {
                if let Some(end) = frame.ends() {
                    answered.push(end);
                } else if frame.kind == 1 {
                    answered
                        .push(status_of(&frame.payload).map_or("an answer".to_owned(), |status| status.to_string()));
                } else {
                    continue;
                }
                if frame.kind != 3 {
                    break;
                }
            }
            if answered.is_empty() { "closed without an answer".to_owned() } else { answered.join(", ") }
        }
    }
}

/// Replaces the placeholders by their values. Both have the same length, so that declared lengths stay right.
fn filled(bytes: &[u8], number: usize) -> Vec<u8> {
    let path = path(number);
    let mut filled = bytes.to_vec();
    while let Some(at) = filled.windows(PLACE.len()).position(|piece| piece == PLACE.as_bytes()) {
        filled.splice(at..at + PLACE.len(), path.bytes());
    }
    filled
}

/// The placeholder for the path of a shape. It is as long as the text that [`path`] returns.
const PLACE: &str = "/{shape}";

fn statuses(answer: &[u8]) -> String {
    let text = String::from_utf8_lossy(answer);
    let statuses: Vec<_> = text.split("HTTP/1.").skip(1).filter_map(|rest| rest.get(2..5)).map(str::to_owned).collect();
    if statuses.is_empty() { "closed without an answer".to_owned() } else { statuses.join(", ") }
}

impl Shaped {
    pub(crate) fn saw(&self) -> String {
        match &self.seen[..] {
            [] => "nothing".to_owned(),
            [seen] => format!("one request{}", seen.describe()),
            more => format!("{} requests", more.len()),
        }
    }

    pub(crate) fn failures(&self) -> Vec<String> {
        let mut failures: Vec<_> = self.seen.iter().flat_map(Seen::wrongs).collect();
        if self.seen.len() > 1 {
            failures.push(format!("the service saw {} requests: {:?}", self.seen.len(), self.seen));
        }
        let whole = self.seen.iter().filter(|seen| seen.is_whole()).count();
        let passed = whole == 1 && self.answered.strip_prefix("100, ").unwrap_or(&self.answered) == "200";
        // The gateway may detect an error in a body only after it has forwarded the head.
        let refused = whole == 0 && !self.answered.contains("200") && !self.answered.contains("stays");
        let right = match self.expect {
            Expect::One => passed,
            Expect::Refused => refused,
            Expect::Either => passed || refused,
        };
        if !right {
            failures.push(format!(
                "{:?} is right; it was answered {}, and the service saw {}",
                self.expect,
                self.answered,
                self.saw()
            ));
        }
        failures.into_iter().map(|failure| format!("{} over {}: {failure}", self.name, self.over)).collect()
    }
}
