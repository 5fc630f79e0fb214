//! Attacks over HTTP/1: with heads, bodies and connections.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::time::sleep;

use crate::front::{Front, answer};

/// The time between two bytes of a slow client.
const DRIP: Duration = Duration::from_millis(100);
const CLIENTS: usize = 500;
pub(super) const IDLE: usize = 10_000;

pub(super) async fn slow_heads(front: Front) {
    let many = front.many(CLIENTS);
    front
        .crowd(many, |front, _| async move {
            let (mut read, mut write) = front.connect().await?.into_split();
            let drip = async {
                write.write_all(b"GET / HTTP/1.1\r\nhost: slow.example\r\nx-slow: ").await?;
                loop {
                    write.write_all(b"x").await?;
                    sleep(DRIP).await;
                }
            };
            let mut said = Vec::new();
            let ended =
                tokio::select! { ended = read.read_to_end(&mut said) => ended.map(drop), broken = drip => broken };
            let status = crate::front::status(&said).unwrap_or("closed without an answer".to_owned());
            front.note(status);
            // A byte that arrives after the gateway has closed the connection causes a reset, which is no failure.
            ended.or(Ok(()))
        })
        .await;
}

pub(super) async fn paused_bodies(front: Front) {
    let many = front.many(CLIENTS);
    front
        .crowd(many, |front, _| async move {
            let mut stream = front.connect().await?;
            stream
                .write_all(b"POST /count HTTP/1.1\r\nhost: slow.example\r\ncontent-length: 1000\r\n\r\nbegun")
                .await?;
            let status = answer(&mut stream).await;
            front.note(status);
            Ok(())
        })
        .await;
}

pub(super) async fn slow_bodies(front: Front) {
    let many = front.many(CLIENTS);
    front
        .crowd(many, |front, _| async move {
            let mut stream = front.connect().await?;
            stream.write_all(b"POST /count HTTP/1.1\r\nhost: slow.example\r\ncontent-length: 100000\r\n\r\n").await?;
            front.note("begun");
            loop {
                stream.write_all(b"x").await?;
                sleep(DRIP).await;
            }
        })
        .await;
}

pub(super) async fn idle(front: Front) {
    /// The number of clients that connect one after the other. Each of them holds its share of the connections.
    const HOLDERS: usize = 50;
    let each = front.many(IDLE) / HOLDERS;
    front
        .crowd(HOLDERS, move |front, _| async move {
            let mut held = Vec::new();
            for _ in 0..each {
                held.push(front.connect().await?);
                front.note("connected");
            }
            for stream in &mut held {
                if stream.read_u8().await.is_err() {
                    front.note("closed without an answer");
                }
            }
            Ok(())
        })
        .await;
}

pub(super) async fn unknown(front: Front) {
    const CLIENTS: usize = 8;
    /// Each request gets a different value.
    static NEXT: AtomicU64 = AtomicU64::new(0);
    front
        .crowd(CLIENTS, |front, _| async move {
            let mut pace = front.pace(500, CLIENTS);
            let mut stream = BufReader::new(front.connect().await?);
            loop {
                pace.next().await;
                let number = NEXT.fetch_add(1, Ordering::Relaxed);
                let request = format!("GET /path/{number}/x HTTP/1.1\r\nhost: host-{number}.example\r\n\r\n");
                stream.write_all(request.as_bytes()).await?;
                let (mut line, mut length) = (String::new(), 0);
                stream.read_line(&mut line).await?;
                front.note(line.get(9..12).unwrap_or("broken").to_owned());
                while line != "\r\n" {
                    line.clear();
                    if stream.read_line(&mut line).await? == 0 {
                        return Ok(());
                    }
                    if let Some(said) = line.strip_prefix("content-length: ") {
                        length = said.trim().parse().unwrap_or(0);
                    }
                }
                stream.read_exact(&mut vec![0; length]).await?;
            }
        })
        .await;
}

pub(super) async fn large_heads(front: Front) {
    const CLIENTS: usize = 10;
    front
        .crowd(CLIENTS, |front, _| async move {
            let mut pace = front.pace(100, CLIENTS);
            loop {
                pace.next().await;
                let mut stream = front.connect().await?;
                stream.write_all(b"GET / HTTP/1.1\r\nhost: large.example\r\nx-large: ").await?;
                // The response comes before the whole request is written.
                let _ = stream.write_all(&vec![b'x'; 1 << 20]).await;
                let status = answer(&mut stream).await;
                front.note(status);
            }
        })
        .await;
}
