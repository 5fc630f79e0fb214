//! actix-web with its stock extractors.

use std::io;

use actix_web::web::{Form, FormConfig, Json, JsonConfig, Path, Query, get, post, resource};
use actix_web::{App, HttpServer, Responder};
use serde::Deserialize;

use crate::{LIMIT, Order, SECRET};

pub(crate) fn serve(port: u16) -> io::Result<()> {
    let app = || {
        App::new()
            .app_data(JsonConfig::default().limit(LIMIT))
            .app_data(FormConfig::default().limit(LIMIT))
            .service(resource("/orders").route(get().to(list)).route(post().to(create)))
            .service(resource("/orders/{id}").route(get().to(show)))
            .service(resource("/form").route(post().to(form)))
            .service(resource("/boom").route(get().to(boom)))
    };
    actix_web::rt::System::new().block_on(HttpServer::new(app).workers(1).bind(("127.0.0.1", port))?.run())
}

#[derive(Deserialize)]
struct Page {
    page: u32,
}

#[derive(Deserialize)]
struct Line {
    qty: u32,
}

async fn create(order: Json<Order>) -> impl Responder {
    order.name.clone()
}

async fn list(page: Query<Page>) -> impl Responder {
    page.page.to_string()
}

async fn show(id: Path<u32>) -> impl Responder {
    id.to_string()
}

async fn form(line: Form<Line>) -> impl Responder {
    line.qty.to_string()
}

async fn boom() -> Result<String, io::Error> {
    Err(io::Error::other(SECRET))
}
