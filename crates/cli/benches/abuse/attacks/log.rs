//! Attacks with hundreds of errors, each of which is a line in the log.

use tokio::io::AsyncWriteExt;

use crate::front::{Front, answer};

pub(super) async fn many_lines(front: Front) {
    const CLIENTS: usize = 10;
    front
        .crowd(CLIENTS, |front, _| async move {
            let mut pace = front.pace(500, CLIENTS);
            loop {
                pace.next().await;
                let mut stream = front.connect().await?;
                stream.write_all(b"GET /missing HTTP/1.1\r\nhost: log.example\r\nconnection: close\r\n\r\n").await?;
                let status = answer(&mut stream).await;
                front.note(status);
            }
        })
        .await;
}
