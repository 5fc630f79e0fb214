//! Attacks in which the service sends compressed errors that unpack to a far larger size.

use tokio::io::AsyncWriteExt;

use crate::front::{Front, answer};

const CODINGS: [&str; 5] = ["gzip", "deflate", "br", "zstd", "gzip-gzip"];

pub(super) async fn bombs(front: Front) {
    const CLIENTS: usize = 10;
    front
        .crowd(CLIENTS, |front, client| async move {
            let mut pace = front.pace(50, CLIENTS);
            let coding = CODINGS[client % CODINGS.len()];
            loop {
                pace.next().await;
                let mut stream = front.connect().await?;
                let request = format!("GET /bomb/{coding} HTTP/1.1\r\nhost: bomb.example\r\nconnection: close\r\n\r\n");
                stream.write_all(request.as_bytes()).await?;
                let status = answer(&mut stream).await;
                front.note(status);
            }
        })
        .await;
}
