//! Lines of text between two gateways, with descriptors next to them.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::time::Duration;

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags,
    recvmsg, sendmsg,
};
use rustix::process::geteuid;
use tokio::io::Interest;
use tokio::net::UnixStream;
use tokio::time::timeout;

/// The text before the names of the sockets. Its number changes whenever the meaning of the lines changes.
pub(super) const SOCKETS: &str = "error-envelope-upgrade 2";
/// The successor has all that it needs.
pub(super) const READY: &str = "ready";
/// The predecessor accepts no clients any more.
pub(super) const YOURS: &str = "yours";
/// The successor accepts clients.
pub(super) const SERVING: &str = "serving";
/// The successor needs no stand-in any more: it stops, or hands over itself.
pub(super) const RELEASED: &str = "released";

/// The longest line, in bytes: a line is a few words.
const MOST_BYTES: usize = 1024;
/// The most descriptors in one message: more than the sockets that are handed over.
const MOST_DESCRIPTORS: usize = 8;
/// Many times the time that a process on the same machine takes for a line due at once, or once its threads accept no more.
const LINE_WITHIN: Duration = Duration::from_secs(10);

/// Whether the other side is of this process's user, or root; another user could take every client's connection, or mislead this
/// process.
pub(super) fn is_trusted(stream: &UnixStream) -> io::Result<bool> {
    let user = stream.peer_cred()?.uid();
    Ok(user == 0 || user == geteuid().as_raw())
}

/// Sends a line, and the descriptors with it.
pub(super) async fn send(stream: &UnixStream, line: &str, descriptors: &[BorrowedFd<'_>]) -> io::Result<()> {
    let sent = stream.async_io(Interest::WRITABLE, || send_now(stream, line, descriptors));
    timeout(LINE_WITHIN, sent).await.map_err(|_| io::ErrorKind::TimedOut)?
}

/// As [`send`], where the socket has room for the line at once.
pub(super) fn send_now(stream: &UnixStream, line: &str, descriptors: &[BorrowedFd<'_>]) -> io::Result<()> {
    let line = format!("{line}\n");
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST_DESCRIPTORS))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !descriptors.is_empty() && !control.push(SendAncillaryMessage::ScmRights(descriptors)) {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let flags = SendFlags::NOSIGNAL | SendFlags::DONTWAIT;
    let sent = sendmsg(stream, &[IoSlice::new(line.as_bytes())], &mut control, flags)?;
    // A socket's buffer has room for a whole line, or for none of it.
    if sent == line.len() { Ok(()) } else { Err(io::ErrorKind::WriteZero.into()) }
}

/// The next line, with its descriptors, as soon as it is there.
pub(super) async fn receive(stream: &UnixStream) -> io::Result<(String, Vec<OwnedFd>)> {
    let (mut line, mut descriptors) = (Vec::new(), Vec::new());
    while !line.ends_with(b"\n") {
        let some = stream.async_io(Interest::READABLE, || receive_byte(stream, &mut line, &mut descriptors));
        if some.await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if line.len() > MOST_BYTES {
            return Err(io::ErrorKind::InvalidData.into());
        }
    }
    Ok((text(line)?, descriptors))
}

/// Reads the line that has already arrived, without waiting.
///
/// # Errors
/// No line has arrived yet (`WouldBlock`), or the other side has closed the connection.
pub(super) fn receive_now(stream: &UnixStream) -> io::Result<String> {
    let (mut line, mut descriptors) = (Vec::new(), Vec::new());
    while !line.ends_with(b"\n") && line.len() <= MOST_BYTES {
        if receive_byte(stream, &mut line, &mut descriptors)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    text(line)
}

/// Whether the other process has ended: the kernel closes its side, whatever the cause.
pub(super) fn is_end(error: &io::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionReset, UnexpectedEof};
    matches!(error.kind(), UnexpectedEof | ConnectionReset | BrokenPipe)
}

fn text(line: Vec<u8>) -> io::Result<String> {
    let line = String::from_utf8(line).map_err(|_| io::ErrorKind::InvalidData)?;
    Ok(line.trim_end().to_owned())
}

/// As [`receive`], for a line that is due at once.
pub(super) async fn receive_soon(stream: &UnixStream) -> io::Result<(String, Vec<OwnedFd>)> {
    timeout(LINE_WITHIN, receive(stream)).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

/// The next byte alone: what follows may be the next line.
fn receive_byte(stream: &UnixStream, line: &mut Vec<u8>, descriptors: &mut Vec<OwnedFd>) -> io::Result<usize> {
    let mut bytes = [0];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST_DESCRIPTORS))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let received =
        recvmsg(stream, &mut [IoSliceMut::new(&mut bytes)], &mut control, RecvFlags::DONTWAIT | CLOSE_ON_EXEC)?;
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(more) = message {
            descriptors.extend(more);
        }
    }
    line.extend_from_slice(bytes.get(..received.bytes).unwrap_or_default());
    Ok(received.bytes)
}

/// Descriptors that are received with this flag are not inherited by programs that this process starts.
#[cfg(not(target_vendor = "apple"))]
const CLOSE_ON_EXEC: RecvFlags = RecvFlags::CMSG_CLOEXEC;
#[cfg(target_vendor = "apple")]
const CLOSE_ON_EXEC: RecvFlags = RecvFlags::empty();
