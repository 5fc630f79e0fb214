//! The routes of `tests/apps` on the frameworks that are Tower services, each with and without the layer.
//! `.ci/frameworks` sends requests to them.
//!
//! It prints the addresses by name as one line of JSON, and serves until its input ends.
#![allow(clippy::disallowed_methods, reason = "a server starts a task for each connection; the layer starts none")]

mod axum;
mod own;
mod poem;
mod pointed {
    pub(crate) mod poem;
    pub(crate) mod salvo;
    pub(crate) mod warp;
}
mod salvo;
#[path = "../../frameworks/serve.rs"]
mod serve;
mod warp;

use std::io;

use serde::Deserialize;
use serde_json::json;
use tokio::io::AsyncReadExt;
use tower::Layer;
use tower_error_envelope::{ErrorEnvelopeLayer, Policy};

/// The largest body of each app, which is below the layer's own limit.
const LIMIT: usize = 64 * 1024;

const SECRET: &str = "s3cret, at /srv/app";

#[derive(Deserialize)]
#[allow(dead_code, reason = "read by serde alone")]
struct Order {
    name: String,
    items: Vec<Item>,
}

#[derive(Deserialize)]
#[allow(dead_code, reason = "read by serde alone")]
struct Item {
    sku: String,
    qty: u32,
}

#[derive(Deserialize)]
struct Page {
    page: u32,
}

#[derive(Deserialize)]
struct Line {
    qty: u32,
}

/// Serves each service on two addresses. This is a macro, because the services accept any type of body.
macro_rules! served {
    ($($name:literal => $service:expr),* $(,)?) => {
        json!({$($name: {
            "bare": serve::serve($service).await,
            "layered": serve::serve(layer().layer($service)).await,
        }),*})
    };
}

#[tokio::main]
async fn main() -> io::Result<()> {
    let apps = served! {
        "axum" => axum::routes(),
        "axum-own" => own::routes(),
        "warp" => ::warp::service(warp::routes()),
        "warp-pointed" => ::warp::service(warp::pointed()),
        "poem" => poem::service(),
        "poem-pointed" => poem::pointed(),
        "salvo" => salvo::service(),
        "salvo-told" => salvo::telling(),
        "salvo-pointed" => salvo::pointed(),
    };
    println!("{apps}");
    tokio::io::stdin().read_to_end(&mut Vec::new()).await?;
    Ok(())
}

fn layer() -> ErrorEnvelopeLayer {
    let policy = Policy::from_toml("policy.toml", include_str!("../policy.toml"));
    ErrorEnvelopeLayer::new().policy(policy.expect("the apps' policy is right"))
}
