//! Serves actix-web twice: with its own extractors, and with those of `pointed/actix.rs`.

use std::io;

use actix_web::web::{
    Bytes, Form, FormConfig, Json, JsonConfig, Path, PayloadConfig, Query, ServiceConfig, get, post, resource,
};
use actix_web::{App, HttpServer, Responder};
use serde::Deserialize;

use crate::pointed::actix::{PointedJson, PointedQuery, pairs};
use crate::{LIMIT, Order, SECRET};

pub(crate) fn serve(port: u16, routes: fn(&mut ServiceConfig)) -> io::Result<()> {
    let app = move || {
        App::new()
            .app_data(JsonConfig::default().limit(LIMIT))
            .app_data(FormConfig::default().limit(LIMIT))
            .app_data(PayloadConfig::default().limit(LIMIT))
            .configure(routes)
            .service(resource("/orders/{id}").route(get().to(show)))
            .service(resource("/boom").route(get().to(boom)))
    };
    actix_web::rt::System::new().block_on(HttpServer::new(app).workers(1).bind(("127.0.0.1", port))?.run())
}

pub(crate) fn stock(app: &mut ServiceConfig) {
    app.service(resource("/orders").route(get().to(list)).route(post().to(create)))
        .service(resource("/form").route(post().to(form)));
}

pub(crate) fn pointed(app: &mut ServiceConfig) {
    app.service(resource("/orders").route(get().to(list_pointed)).route(post().to(create_pointed)))
        .service(resource("/form").route(post().to(form_pointed)));
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

async fn create_pointed(PointedJson(order): PointedJson<Order>) -> impl Responder {
    order.name
}

async fn list_pointed(PointedQuery(page): PointedQuery<Page>) -> impl Responder {
    page.page.to_string()
}

async fn form_pointed(form: Bytes) -> actix_web::Result<String> {
    Ok(pairs::<Line>(&form)?.qty.to_string())
}

async fn boom() -> Result<String, io::Error> {
    Err(io::Error::other(SECRET))
}
