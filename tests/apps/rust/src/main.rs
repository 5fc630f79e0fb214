//! The routes of `tests/apps` on the frameworks that are not Tower services: `framework-apps NAME PORT`.

mod actix;
mod pointed {
    pub(crate) mod actix;
    pub(crate) mod rocket;
}
mod rocket;

use std::process::ExitCode;

use serde::Deserialize;

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

/// The largest body of each app, which is below the layer's own limit.
const LIMIT: usize = 64 * 1024;

const SECRET: &str = "s3cret, at /srv/app";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let served = match &*arguments {
        [app, port] => port.parse().map_err(|_| format!("{port:?} is no port")).and_then(|port| match &**app {
            "actix-web" => actix::serve(port, actix::stock).map_err(|error| error.to_string()),
            "actix-web-pointed" => actix::serve(port, actix::pointed).map_err(|error| error.to_string()),
            "rocket" => rocket::serve(port, rocket::Words::Default).map_err(|error| error.to_string()),
            "rocket-told" => rocket::serve(port, rocket::Words::Explained).map_err(|error| error.to_string()),
            "rocket-pointed" => rocket::serve(port, rocket::Words::Pointed).map_err(|error| error.to_string()),
            _ => Err(format!("there is no app {app:?}")),
        }),
        _ => Err("usage: framework-apps APP PORT".to_owned()),
    };
    if let Err(error) = served {
        eprintln!("framework-apps: {error}");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}
