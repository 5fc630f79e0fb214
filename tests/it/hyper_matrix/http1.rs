//! An HTTP/1 client on a bare stream, which decides itself when it reads and when it writes.

use std::io;

use bytes::Bytes;
use http::Response;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::sync::oneshot;

use super::client::{Framing, Reader, Seen, Upload};
use super::server::HELLO;
use crate::kit::Answer;

/// One connection.
pub(super) struct Wire<S> {
    read: ReadHalf<S>,
    write: WriteHalf<S>,
}

pub(super) async fn upload<S: AsyncRead + AsyncWrite>(stream: S, upload: Upload) -> io::Result<Seen> {
    let mut wire = Wire::new(stream);
    let pieces = framed(&upload);
    let answer = match (upload.reader, upload.at_once) {
        (Reader::Slow, true) => {
            wire.send(&pieces[0]).await?;
            wire.send(&pieces[1]).await?;
            let head = wire.head().await?;
            wire.send_all(&pieces[2..]).await?;
            wire.rest(head).await?
        }
        (Reader::Eager, at_once) => wire.both(&pieces, at_once).await?,
        (Reader::Slow | Reader::Late, _) => {
            wire.send_all(&pieces).await?;
            wire.answer().await?
        }
    };
    let lives_on =
        if answer.header("connection") == Some("close") { wire.ended().await? } else { wire.hello().await? };
    Ok(Seen { answer, lives_on })
}

/// Returns the request's head, and its body in pieces.
fn framed(upload: &Upload) -> Vec<Bytes> {
    let Upload { path, framing, size, .. } = *upload;
    let length = match framing {
        Framing::Declared => format!("content-length: {size}"),
        Framing::Chunked => "transfer-encoding: chunked".to_owned(),
    };
    let mut all = vec![Bytes::from(format!("POST {path} HTTP/1.1\r\nhost: test\r\n{length}\r\n\r\n"))];
    match framing {
        Framing::Declared => all.extend(upload.pieces()),
        Framing::Chunked => {
            all.extend(upload.pieces().iter().map(|piece| chunk(piece)));
            all.push(Bytes::from_static(b"0\r\n\r\n"));
        }
    }
    all
}

fn chunk(piece: &[u8]) -> Bytes {
    let mut chunk = format!("{:x}\r\n", piece.len()).into_bytes();
    chunk.extend_from_slice(piece);
    chunk.extend_from_slice(b"\r\n");
    chunk.into()
}

impl<S: AsyncRead + AsyncWrite> Wire<S> {
    pub(super) fn new(stream: S) -> Self {
        let (read, write) = tokio::io::split(stream);
        Self { read, write }
    }

    pub(super) async fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.write.write_all(bytes).await?;
        self.write.flush().await
    }

    async fn send_all(&mut self, pieces: &[Bytes]) -> io::Result<()> {
        for piece in pieces {
            self.send(piece).await?;
        }
        Ok(())
    }

    /// Reads while it sends. The last piece waits for the head if the head must come first.
    async fn both(&mut self, pieces: &[Bytes], at_once: bool) -> io::Result<Answer> {
        let Self { read, write } = self;
        let (tell, body_seen) = oneshot::channel();
        let (last, first) = pieces.split_last().unwrap();
        let send = async {
            for piece in first {
                write.write_all(piece).await?;
            }
            if at_once {
                body_seen.await.map_err(io::Error::other)?;
            }
            write.write_all(last).await
        };
        let receive = async {
            let head = head(read).await?;
            let _ = tell.send(());
            rest(read, head).await
        };
        let (sent, received) = tokio::join!(send, receive);
        sent.and(received)
    }

    pub(super) async fn answer(&mut self) -> io::Result<Answer> {
        let head = self.head().await?;
        self.rest(head).await
    }

    pub(super) async fn head(&mut self) -> io::Result<http::response::Parts> {
        head(&mut self.read).await
    }

    pub(super) async fn rest(&mut self, head: http::response::Parts) -> io::Result<Answer> {
        rest(&mut self.read, head).await
    }

    /// Returns true if the connection takes another request.
    pub(super) async fn hello(&mut self) -> io::Result<bool> {
        self.send(format!("GET {HELLO} HTTP/1.1\r\nhost: test\r\n\r\n").as_bytes()).await?;
        Ok(self.answer().await?.head.status == 200)
    }

    /// Returns true if the connection ends without a reset and without a further byte.
    pub(super) async fn ended(&mut self) -> io::Result<bool> {
        let mut more = Vec::new();
        self.read.read_to_end(&mut more).await?;
        assert_eq!(String::from_utf8_lossy(&more), "", "after the answer");
        Ok(false)
    }
}

/// Reads a response head byte by byte, so that it takes no byte of the body.
async fn head(read: &mut (impl AsyncRead + Unpin)) -> io::Result<http::response::Parts> {
    let mut text = Vec::new();
    while !text.ends_with(b"\r\n\r\n") {
        text.push(read.read_u8().await?);
    }
    let text = String::from_utf8(text).map_err(io::Error::other)?;
    let mut lines = text.trim_end().split("\r\n");
    let status = lines.next().and_then(|line| line.split(' ').nth(1)).unwrap_or_default();
    let headers = lines.filter_map(|line| line.split_once(": "));
    let response =
        headers.fold(Response::builder().status(status), |response, (name, value)| response.header(name, value));
    Ok(response.body(()).map_err(io::Error::other)?.into_parts().0)
}

async fn rest(read: &mut (impl AsyncRead + Unpin), head: http::response::Parts) -> io::Result<Answer> {
    let length = head.headers.get("content-length").and_then(|it| it.to_str().ok()?.parse().ok());
    let mut body = vec![0; length.ok_or_else(|| io::Error::other("no content-length"))?];
    read.read_exact(&mut body).await?;
    Ok(Answer { head, body: body.into() })
}
