//! A service that writes HTTP/2 frame by frame, in ways that a server library does not allow.

use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::Mutex;

pub(super) const DATA: u8 = 0;
pub(super) const HEADERS: u8 = 1;
pub(super) const RST_STREAM: u8 = 3;
pub(super) const SETTINGS: u8 = 4;
pub(super) const GOAWAY: u8 = 7;

pub(super) const END_STREAM: u8 = 1;
pub(super) const END_HEADERS: u8 = 4;
const ACK: u8 = 1;

/// The entry `:status: 200` of HPACK's static table.
const STATUS_200: &[u8] = &[0x88];

/// A connection of a client that has sent its preface.
pub(super) struct Frames {
    reads: OwnedReadHalf,
    pub(super) writes: Writes,
}

/// The writing side, with which any task can write frames.
#[derive(Clone)]
pub(super) struct Writes(Arc<Mutex<OwnedWriteHalf>>);

impl Frames {
    pub(super) async fn accept(stream: TcpStream) -> Self {
        let (mut reads, writes) = stream.into_split();
        let mut preface = [0; 24];
        let _ = reads.read_exact(&mut preface).await;
        Self { reads, writes: Writes(Arc::new(Mutex::new(writes))) }
    }

    /// Returns the type, the flags and the stream of the next frame. Frames of settings are acknowledged and skipped.
    pub(super) async fn next(&mut self) -> Option<(u8, u8, u32)> {
        loop {
            let mut head = [0; 9];
            self.reads.read_exact(&mut head).await.ok()?;
            let [a, b, c, kind, flags, id @ ..] = head;
            let mut payload = vec![0; u32::from_be_bytes([0, a, b, c]) as usize];
            self.reads.read_exact(&mut payload).await.ok()?;
            match kind {
                SETTINGS if flags & ACK == 0 => self.writes.frame(SETTINGS, ACK, 0, &[]).await,
                SETTINGS => {}
                _ => return Some((kind, flags, u32::from_be_bytes(id) & 0x7fff_ffff)),
            }
        }
    }
}

impl Writes {
    pub(super) async fn frame(&self, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
        let length = u32::try_from(payload.len()).expect("a frame").to_be_bytes();
        let head = [&length[1..], &[kind, flags], &stream.to_be_bytes()].concat();
        let _ = self.0.lock().await.write_all(&[&head, payload].concat()).await;
    }

    /// Allows this many concurrent streams.
    pub(super) async fn allow(&self, streams: u32) {
        self.frame(SETTINGS, 0, 0, &[&[0, 3][..], &streams.to_be_bytes()].concat()).await;
    }

    /// Sends a 200. The flags decide whether the stream ends with it.
    pub(super) async fn answer(&self, stream: u32, flags: u8) {
        self.frame(HEADERS, END_HEADERS | flags, stream, STATUS_200).await;
    }

    pub(super) async fn reset(&self, stream: u32, reason: u32) {
        self.frame(RST_STREAM, 0, stream, &reason.to_be_bytes()).await;
    }

    pub(super) async fn go_away(&self, last: u32) {
        self.frame(GOAWAY, 0, 0, &[&last.to_be_bytes()[..], &[0; 4]].concat()).await;
    }
}
