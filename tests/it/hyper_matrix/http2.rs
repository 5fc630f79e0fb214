//! An HTTP/2 client that controls its streams, and decides itself when it reads and when it writes.

use std::future::poll_fn;
use std::io;

use bytes::{Bytes, BytesMut};
use h2::client::{ResponseFuture, SendRequest};
use h2::{RecvStream, SendStream};
use http::Request;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::oneshot;

use super::client::{Framing, Reader, Seen, Upload};
use super::server::HELLO;
use crate::kit::Answer;

pub(super) async fn upload<S>(stream: S, upload: Upload) -> io::Result<Seen>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let mut connection = connect(stream).await?;
    let (response, mut body) = start(&mut connection, head(&upload)).await?;
    let pieces = upload.pieces();
    let answer = match (upload.reader, upload.at_once) {
        (Reader::Slow, true) => {
            send(&mut body, &pieces[0], false).await?;
            let response = response.await.map_err(io::Error::other)?;
            send_all(&mut body, &pieces[1..]).await?;
            read(response).await?
        }
        (Reader::Eager, at_once) => both(response, body, &pieces, at_once).await?,
        (Reader::Slow | Reader::Late, _) => {
            send_all(&mut body, &pieces).await?;
            read(response.await.map_err(io::Error::other)?).await?
        }
    };
    let hello = Request::get(format!("http://test{HELLO}")).body(()).unwrap();
    let (response, _) = connection.send_request(hello, true).map_err(io::Error::other)?;
    let lives_on = read(response.await.map_err(io::Error::other)?).await?.head.status == 200;
    Ok(Seen { answer, lives_on })
}

pub(super) async fn connect<S>(stream: S) -> io::Result<SendRequest<Bytes>>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (send, connection) = h2::client::handshake(stream).await.map_err(io::Error::other)?;
    tokio::spawn(connection);
    Ok(send)
}

pub(super) async fn start(
    connection: &mut SendRequest<Bytes>,
    head: Request<()>,
) -> io::Result<(ResponseFuture, SendStream<Bytes>)> {
    poll_fn(|cx| connection.poll_ready(cx)).await.map_err(io::Error::other)?;
    connection.send_request(head, false).map_err(io::Error::other)
}

fn head(upload: &Upload) -> Request<()> {
    let mut head = Request::post(format!("http://test{}", upload.path));
    if upload.framing == Framing::Declared {
        head = head.header("content-length", upload.size);
    }
    head.body(()).unwrap()
}

/// Reads while it sends. The last piece waits for the head if the head must come first.
async fn both(
    response: ResponseFuture,
    mut body: SendStream<Bytes>,
    pieces: &[Bytes],
    at_once: bool,
) -> io::Result<Answer> {
    let (tell, body_seen) = oneshot::channel();
    let (last, first) = pieces.split_last().unwrap();
    let sending = async {
        for piece in first {
            send(&mut body, piece, false).await?;
        }
        if at_once {
            body_seen.await.map_err(io::Error::other)?;
        }
        send(&mut body, last, true).await
    };
    let receiving = async {
        let response = response.await.map_err(io::Error::other)?;
        let _ = tell.send(());
        read(response).await
    };
    let (sent, received) = tokio::join!(sending, receiving);
    sent.and(received)
}

async fn send_all(body: &mut SendStream<Bytes>, pieces: &[Bytes]) -> io::Result<()> {
    let (last, first) = pieces.split_last().unwrap();
    for piece in first {
        send(body, piece, false).await?;
    }
    send(body, last, true).await
}

/// Sends a piece as far as the flow control allows, to the other end of the socket and not to a buffer.
pub(super) async fn send(body: &mut SendStream<Bytes>, piece: &Bytes, end: bool) -> io::Result<()> {
    let mut left = piece.clone();
    while !left.is_empty() {
        body.reserve_capacity(left.len());
        let room =
            poll_fn(|cx| body.poll_capacity(cx)).await.ok_or_else(|| io::Error::other("the stream was closed"))?;
        let part = left.split_to(room.map_err(io::Error::other)?.min(left.len()));
        let ended = end && left.is_empty();
        body.send_data(part, ended).map_err(io::Error::other)?;
    }
    Ok(())
}

pub(super) async fn read(response: http::Response<RecvStream>) -> io::Result<Answer> {
    let (head, mut stream) = response.into_parts();
    let mut body = BytesMut::new();
    while let Some(data) = stream.data().await {
        let data = data.map_err(io::Error::other)?;
        stream.flow_control().release_capacity(data.len()).map_err(io::Error::other)?;
        body.extend_from_slice(&data);
    }
    Ok(Answer { head, body: body.freeze() })
}
