//! Tests when a request is treated as sent.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use http_body::Body;
use http_body_util::Full;
use tokio::io::{AsyncReadExt, AsyncWrite, AsyncWriteExt, BufWriter, duplex};

use super::super::{Exchange, Observed, Outgoing};
use super::{PoolSlot, Simulated};
use crate::pace::{Capacity, Pace};
use crate::read_size::ReadSize;

#[tokio::test]
async fn what_a_stream_holds_back_is_not_sent_until_it_is_flushed() {
    for is_flushed in [false, true] {
        // Like TLS, the buffer accepts all bytes, although the socket accepts only four.
        let (near, mut far) = duplex(4);
        let exchange = Arc::new(Exchange::default());
        let place = PoolSlot::detached::<Simulated<false>>();
        let mut stream = Observed::new(BufWriter::new(near), Arc::clone(&exchange), place, ReadSize::new(0));
        exchange.begin(false);
        stream.write_all(b"a request").await.unwrap();
        assert!(Pin::new(&mut stream).poll_flush(&mut Context::from_waker(Waker::noop())).is_pending());
        if is_flushed {
            let mut request = [0; 9];
            let (flushed, read) = tokio::join!(stream.flush(), far.read_exact(&mut request));
            flushed.and(read.map(drop)).unwrap();
        }
        far.write_all(b"HTTP").await.unwrap();
        stream.read_exact(&mut [0; 4]).await.unwrap();
        assert_eq!(exchange.was_answered_early(), !is_flushed);
    }
}

#[tokio::test]
async fn a_piece_is_asked_for_while_the_one_before_is_written_and_waits() {
    let (near, mut far) = duplex(4);
    let exchange = Arc::new(Exchange::default());
    let place = PoolSlot::detached::<Simulated<false>>();
    let mut stream = Observed::new(near, Arc::clone(&exchange), place, ReadSize::new(0));
    let mut body = Outgoing::new(Full::from("piece"), Pace::start(), Capacity::new(1).take().unwrap());
    body.begin(&exchange);
    let cx = &mut Context::from_waker(Waker::noop());
    assert!(matches!(Pin::new(&mut stream).poll_write(cx, b"a request"), Poll::Ready(Ok(4))));
    assert!(Pin::new(&mut body).poll_frame(cx).is_pending());
    assert!(!body.is_end_stream());
    far.read_exact(&mut [0; 4]).await.unwrap();
    assert!(matches!(Pin::new(&mut stream).poll_write(cx, b"head"), Poll::Ready(Ok(4))));
    let Poll::Ready(Some(Ok(piece))) = Pin::new(&mut body).poll_frame(cx) else { panic!("it may go") };
    assert_eq!(piece.into_data().unwrap(), "piece");
    assert!(body.is_end_stream());
}
