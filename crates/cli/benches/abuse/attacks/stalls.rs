//! Attacks with responses that are requested and not read.

use tokio::io::AsyncWriteExt;

use super::frames::*;
use crate::front::{Front, answer};

const CONNECTIONS: usize = 4;
const STREAMS: u32 = 50;

pub(super) async fn slow_readers(front: Front) {
    let many = front.many(100);
    front
        .crowd(many, |front, _| async move {
            let mut stream = front.connect().await?;
            stream.write_all(b"GET /endless HTTP/1.1\r\nhost: unread.example\r\n\r\n").await?;
            front.note("asked");
            front.over().await;
            let _ = tokio::time::timeout(std::time::Duration::ZERO, answer(&mut stream)).await;
            Ok(())
        })
        .await;
}

pub(super) async fn window_of_zero(front: Front) {
    stall(front, Some(0)).await;
}

pub(super) async fn window_of_one(front: Front) {
    stall(front, None).await;
}

/// Opens streams. The window of a stream either stays at this size, or grows by a byte now and then.
async fn stall(front: Front, window: Option<u32>) {
    front
        .crowd(CONNECTIONS, move |front, _| async move {
            let (mut read, mut write) = front.connect().await?.into_split();
            let asking = async {
                write.write_all(&opening(Some(window.unwrap_or(1)))).await?;
                for number in 0..STREAMS {
                    let block = request("GET", "/endless");
                    write
                        .write_all(&Frame::new(HEADERS, END_HEADERS | END_STREAM, number * 2 + 1, block).bytes())
                        .await?;
                }
                let mut pace = front.pace(2000, CONNECTIONS);
                loop {
                    if window.is_some() {
                        std::future::pending::<()>().await;
                    }
                    for number in 0..STREAMS {
                        pace.next().await;
                        let more = Frame::new(WINDOW_UPDATE, 0, number * 2 + 1, 1u32.to_be_bytes());
                        write.write_all(&more.bytes()).await?;
                    }
                }
            };
            let reading = async {
                loop {
                    let frame = Frame::read(&mut read).await?;
                    match frame.kind {
                        HEADERS => front
                            .note(status(&frame.payload).map_or("an answer".to_owned(), |status| status.to_string())),
                        DATA => front.note(format!("{} byte of a body", frame.payload.len())),
                        _ => {
                            if let Some(end) = frame.ends() {
                                front.note(end);
                            }
                        }
                    }
                }
            };
            tokio::select! { asked = asking => asked, read = reading => read }
        })
        .await;
}
