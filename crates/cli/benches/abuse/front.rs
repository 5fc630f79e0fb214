//! What an attacker has: where the gateway is, how fast it may go, and when it is over.

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

/// What was answered, and how often.
pub(crate) type Tally = BTreeMap<String, u64>;

#[derive(Clone)]
pub(crate) struct Front {
    pub(crate) address: SocketAddr,
    /// The active policy, for who replaces it.
    pub(crate) policy: PathBuf,
    /// Quick runs have fewer of everything.
    pub(crate) quick: bool,
    /// As fast as it goes; else at the attack's own pace.
    pub(crate) flat_out: bool,
    pub(crate) over: watch::Receiver<bool>,
    pub(crate) tally: Arc<Mutex<Tally>>,
    /// Frames, for those whose frames have no answers.
    pub(crate) sent: Arc<AtomicU64>,
}

impl Front {
    /// So many, or a tenth in a quick run.
    pub(crate) fn many(&self, many: usize) -> usize {
        if self.quick { many.div_ceil(10) } else { many }
    }

    pub(crate) fn note(&self, answer: impl Into<String>) {
        *self.tally.lock().expect("no panic under the lock").entry(answer.into()).or_default() += 1;
    }

    pub(crate) async fn over(&self) {
        let _ = self.over.clone().wait_for(|over| *over).await;
    }

    /// So many of them, each over and over until it is over: all at once where it goes as fast as it can, and each in its turn
    /// within a second where it keeps a pace.
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
                            // Whoever is shut out does not knock without a pause.
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

    /// Its share of `each_second` where it keeps a pace.
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
            // Others on this thread get their turn, and so does the end.
            None => tokio::task::yield_now().await,
        }
    }
}

/// Reads until the gateway closes, and states what it answered: HTTP/1's status, or nothing.
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
