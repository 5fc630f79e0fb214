//! Reads and writes HTTP/1 as bytes, for a client and for a service.

use std::io;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

pub(crate) struct Wire {
    pub(crate) stream: TcpStream,
    buffer: Vec<u8>,
}

pub(crate) struct Head {
    pub(crate) first: String,
    pub(crate) headers: Vec<(String, String)>,
}

/// A body as far as it arrived.
#[derive(Default)]
pub(crate) struct Body {
    pub(crate) bytes: Vec<u8>,
    pub(crate) trailers: Vec<(String, String)>,
    /// True if the connection ended or failed before the body did.
    pub(crate) is_broken: bool,
}

impl Head {
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        value(&self.headers, name)
    }
}

pub(crate) fn value<'h>(headers: &'h [(String, String)], name: &str) -> Option<&'h str> {
    headers.iter().find(|(own, _)| own.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
}

impl Wire {
    pub(crate) fn new(stream: TcpStream) -> Self {
        Self { stream, buffer: Vec::new() }
    }

    pub(crate) async fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes).await
    }

    async fn fill(&mut self) -> io::Result<()> {
        if self.stream.read_buf(&mut self.buffer).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(())
    }

    async fn line(&mut self) -> io::Result<String> {
        loop {
            if let Some(end) = self.buffer.windows(2).position(|two| two == b"\r\n") {
                let line = String::from_utf8_lossy(&self.buffer[..end]).into_owned();
                self.buffer.drain(..end + 2);
                return Ok(line);
            }
            self.fill().await?;
        }
    }

    async fn fields(&mut self) -> io::Result<Vec<(String, String)>> {
        let mut fields = Vec::new();
        loop {
            let line = self.line().await?;
            match line.split_once(':') {
                None => return Ok(fields),
                Some((name, value)) => fields.push((name.to_ascii_lowercase(), value.trim().to_owned())),
            }
        }
    }

    pub(crate) async fn head(&mut self) -> io::Result<Head> {
        let first = self.line().await?;
        Ok(Head { first, headers: self.fields().await? })
    }

    /// Reads the head of a response, after those of 1xx.
    pub(crate) async fn response(&mut self) -> io::Result<Head> {
        loop {
            let head = self.head().await?;
            if !head.first.contains(" 1") {
                return Ok(head);
            }
        }
    }

    /// Reads the body that the head announces. Without a length, it reads to the end of the connection if `to_end`.
    /// Each new byte is reported, and `false` ends the reading.
    pub(crate) async fn body(&mut self, head: &Head, to_end: bool, mut goes_on: impl FnMut(u64) -> bool) -> Body {
        let mut body = Body::default();
        let length = head.get("content-length").and_then(|length| length.parse::<usize>().ok());
        body.is_broken = match length {
            _ if head.get("transfer-encoding").is_some() => self.chunks(&mut body, &mut goes_on).await.is_err(),
            Some(length) => self.exactly(length, &mut body, &mut goes_on).await.is_err(),
            None if to_end => {
                while self.fill().await.is_ok() {}
                body.bytes = std::mem::take(&mut self.buffer);
                false
            }
            None => false,
        };
        body
    }

    async fn exactly(
        &mut self,
        mut length: usize,
        body: &mut Body,
        goes_on: &mut impl FnMut(u64) -> bool,
    ) -> io::Result<()> {
        while length > 0 {
            if self.buffer.is_empty() {
                self.fill().await?;
            }
            let piece = self.buffer.len().min(length);
            body.bytes.extend(self.buffer.drain(..piece));
            length -= piece;
            if !goes_on(body.bytes.len() as u64) {
                return Err(io::ErrorKind::Interrupted.into());
            }
        }
        Ok(())
    }

    async fn chunks(&mut self, body: &mut Body, goes_on: &mut impl FnMut(u64) -> bool) -> io::Result<()> {
        loop {
            let line = self.line().await?;
            let length = usize::from_str_radix(line.trim(), 16).map_err(|_| io::ErrorKind::InvalidData)?;
            if length == 0 {
                body.trailers = self.fields().await?;
                return Ok(());
            }
            self.exactly(length, body, goes_on).await?;
            self.line().await?;
        }
    }

    /// Waits until the peer closes.
    pub(crate) async fn closed(&mut self) {
        while self.fill().await.is_ok() {
            self.buffer.clear();
        }
    }
}
