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

/// The start of the line that names the sockets. Its number changes whenever the protocol does.
pub(super) const SOCKETS: &str = "error-envelope-upgrade 2";
/// Sent by the successor: it has all that it needs.
pub(super) const READY: &str = "ready";
/// Sent by the predecessor: it no longer accepts clients.
pub(super) const YOURS: &str = "yours";
/// Sent by the successor: it accepts clients.
pub(super) const SERVING: &str = "serving";
/// Sent by the successor: the predecessor may end. The successor itself stops, or hands over.
pub(super) const RELEASED: &str = "released";

/// The most bytes of a line, which has only a few words.
const MOST_BYTES: usize = 1024;
/// The most descriptors in one message: more than the sockets that are handed over.
const MOST_DESCRIPTORS: usize = 8;
/// The longest wait for a line that the other process sends at once, or as soon as its threads no longer accept
/// clients. It is many times what a process on the same machine needs.
const LINE_WITHIN: Duration = Duration::from_secs(10);

/// Whether the other process runs as the same user, or as root. Another user could take every client's connection, or
/// mislead this process.
pub(super) fn is_trusted(stream: &UnixStream) -> io::Result<bool> {
    let user = stream.peer_cred()?.uid();
    Ok(user == 0 || user == geteuid().as_raw())
}

/// Sends a line, and these descriptors with it.
pub(super) async fn send(stream: &UnixStream, line: &str, descriptors: &[BorrowedFd<'_>]) -> io::Result<()> {
    let sent = stream.async_io(Interest::WRITABLE, || send_now(stream, line, descriptors));
    timeout(LINE_WITHIN, sent).await.map_err(|_| io::ErrorKind::TimedOut)?
}

/// As [`send`], but fails if the socket has no room for the line now.
pub(super) fn send_now(stream: &UnixStream, line: &str, descriptors: &[BorrowedFd<'_>]) -> io::Result<()> {
    let line = format!("{line}\n");
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST_DESCRIPTORS))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !descriptors.is_empty() && !control.push(SendAncillaryMessage::ScmRights(descriptors)) {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let flags = SendFlags::NOSIGNAL | SendFlags::DONTWAIT;
    let sent = sendmsg(stream, &[IoSlice::new(line.as_bytes())], &mut control, flags)?;
    // The socket's buffer takes either the whole line or nothing.
    if sent == line.len() { Ok(()) } else { Err(io::ErrorKind::WriteZero.into()) }
}

/// Waits for the next line, and returns it with its descriptors.
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

/// Whether the error means that the other process has ended: then the kernel closes its side, whatever the cause.
pub(super) fn is_end(error: &io::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionReset, UnexpectedEof};
    matches!(error.kind(), UnexpectedEof | ConnectionReset | BrokenPipe)
}

fn text(line: Vec<u8>) -> io::Result<String> {
    let line = String::from_utf8(line).map_err(|_| io::ErrorKind::InvalidData)?;
    Ok(line.trim_end().to_owned())
}

/// As [`receive`], with a time limit, for a line that is due at once.
pub(super) async fn receive_soon(stream: &UnixStream) -> io::Result<(String, Vec<OwnedFd>)> {
    timeout(LINE_WITHIN, receive(stream)).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

/// Receives only the next byte: the bytes after it may belong to the next line.
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
