//! Serves `app` for clients in other languages. `.ci/clients rpc` runs it, and `.ci/clients rpc-envoy` runs it with
//! `--bare`, without the layer.
//!
//! The program prints one line of JSON, and serves until its input ends. The line has the addresses by name, the key of
//! the vault, and the descriptors of `google.rpc`'s messages, which Connect's client does not have.
#![allow(clippy::disallowed_methods, reason = "a server starts a task for each connection; the layer starts none")]

use std::io;

use base64::prelude::{BASE64_STANDARD, Engine};
use serde_json::{Map, json};
use tokio::io::AsyncReadExt;

#[path = "app/mod.rs"]
mod app;

#[tokio::main]
async fn main() -> io::Result<()> {
    tracing_subscriber::fmt().with_ansi(false).with_writer(io::stderr).init();
    let mut addresses = Map::new();
    let bare = std::env::args().any(|arg| arg == "--bare");
    let apps: &[app::App] = if bare { &[app::App::Bare] } else { &app::App::ALL };
    for &app in apps {
        addresses.insert(format!("{app:?}").to_lowercase(), json!(format!("http://{}", app::start(app).await)));
    }
    let details = BASE64_STANDARD.encode(tonic_types::pb::FILE_DESCRIPTOR_SET);
    println!("{}", json!({ "apps": addresses, "key": app::KEY, "details": details }));
    tokio::io::stdin().read_to_end(&mut Vec::new()).await?;
    Ok(())
}
