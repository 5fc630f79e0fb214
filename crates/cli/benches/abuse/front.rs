//! What an attacker uses: the gateway's address, the allowed speed, and the signal for the end of the attack.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Interval, MissedTickBehavior, interval};

/// Each kind of response, and how often it came.
pub(crate) type Tally = BTreeMap<String, u64>;

#[derive(Clone)]
pub(crate) struct Front {
    pub(crate) address: SocketAddr,
    /// The active policy, for an attack that replaces it.
    pub(crate) policy: PathBuf,
    /// True for a quick run, in which all numbers are smaller.
    pub(crate) quick: bool,
    /// True if the attack runs at full speed. Otherwise the attack keeps its own pace.
    pub(crate) flat_out: bool,
    pub(crate) over: watch::Receiver<bool>,
    pub(crate) tally: Arc<Mutex<Tally>>,
    /// The number of frames, for attacks whose frames get no response.
    pub(crate) sent: Arc<AtomicU64>,
}

impl Front {
    /// Returns this number, or a tenth of it in a quick run.
    pub(crate) fn many(&self, many: usize) -> usize {
        if self.quick { many.div_ceil(10) } else { many }
    }

    pub(crate) fn note(&self, answer: impl Into<String>) {
        *self.tally.lock().expect("no panic under the lock").entry(answer.into()).or_default() += 1;
    }

    pub(crate) async fn over(&self) {
        let _ = self.over.clone().wait_for(|over| *over).await;
    }

    /// Runs this number of clients, each again and again until the end of the attack. At full speed, all clients start
    /// at once. Otherwise their starts are spread over a second.
    pub(crate) async fn crowd<F>(&self, many: usize, each: impl Fn(Front, usize) -> F + Clone + Send + Sync + 'static)
    where
        F: Future<Output = io::Result<()>> + Send + 'static,
    {
        let mut crowd = JoinSet::new();
        for number in 0..many {
            let (front, each) = (self.clone(), each.clone());
            crowd.spawn(async move {
                let again = async {
                    if !front.flat_out {
                        tokio::time::sleep(Duration::from_secs(1) * number as u32 / many as u32).await;
                    }
                    loop {
                        if let Err(error) = each(front.clone(), number).await {
                            front.note(format!("{:?}", error.kind()));
                            // A refused client pauses before it tries again.
                            tokio::time::sleep(Duration::from_millis(20)).await;
                        }
                    }
                };
                tokio::select! { () = again => {} () = front.over() => {} }
            });
        }
        while let Some(ended) = crowd.join_next().await {
            if let Err(panicked) = ended {
                self.note(format!("an attacker failed: {panicked}"));
            }
        }
    }

    /// Returns the client's share of `each_second` if the attack keeps a pace.
    pub(crate) fn pace(&self, each_second: usize, among: usize) -> Pace {
        if self.flat_out {
            return Pace(None);
        }
        let mut ticks = interval(Duration::from_secs(1) * among as u32 / each_second as u32);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Pace(Some(ticks))
    }

    pub(crate) async fn connect(&self) -> io::Result<TcpStream> {
        let stream = TcpStream::connect(self.address).await?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }
}

pub(crate) struct Pace(Option<Interval>);

impl Pace {
    pub(crate) async fn next(&mut self) {
        match &mut self.0 {
            Some(ticks) => drop(ticks.tick().await),
            // This lets other tasks of this thread run, and lets the attack end.
            None => tokio::task::yield_now().await,
        }
    }
}

/// Reads until the gateway closes, and returns the response: the status of HTTP/1, or nothing.
pub(crate) async fn answer(stream: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    let ended = stream.read_to_end(&mut answer).await;
    match (status(&answer), ended) {
        (Some(status), _) => status,
        (None, Ok(_)) => "closed without an answer".to_owned(),
        (None, Err(_)) => "reset without an answer".to_owned(),
    }
}

pub(crate) fn status(answer: &[u8]) -> Option<String> {
    let line = answer.strip_prefix(b"HTTP/1.1 ")?;
    Some(String::from_utf8_lossy(line.get(..3)?).into_owned())
}
