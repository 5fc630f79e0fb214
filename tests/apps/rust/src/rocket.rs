//! Serves Rocket in three ways. It uses its default catchers, or handlers that return a guard's own error, as its guide
//! shows for `Result<T, T::Error>`, or the guards of `pointed/rocket.rs`.

use std::io::ErrorKind;

use rocket::data::{Limits, ToByteUnit};
use rocket::form::{Errors, Form};
use rocket::http::Status;
use rocket::serde::json::{self, Json, Value};
use rocket::{Config, FromForm, get, post, routes};

use crate::pointed::rocket::{PointedJson, fields};
use crate::{LIMIT, Order, SECRET};

pub(crate) enum Words {
    Default,
    Explained,
    Pointed,
}

pub(crate) fn serve(port: u16, words: Words) -> Result<(), Box<rocket::Error>> {
    let limit = LIMIT.bytes();
    let config = Config {
        port,
        workers: 1,
        log_level: rocket::config::LogLevel::Off,
        limits: Limits::default().limit("json", limit).limit("form", limit),
        ..Config::default()
    };
    let rocket = rocket::custom(config).mount("/", routes![show, boom]);
    let rocket = match words {
        Words::Default => rocket.mount("/", routes![list, create, form]),
        Words::Explained => rocket.mount("/", routes![list_explained, create_explained, form_explained]),
        Words::Pointed => rocket.mount("/", routes![list_pointed, create_pointed, form_pointed]),
    };
    rocket::execute(rocket.launch()).map(drop).map_err(Box::new)
}

#[derive(FromForm)]
struct Line {
    qty: u32,
}

#[post("/orders", data = "<order>")]
fn create(order: Json<Order>) -> String {
    order.name.clone()
}

#[get("/orders?<page>")]
fn list(page: u32) -> String {
    page.to_string()
}

#[get("/orders/<id>")]
fn show(id: u32) -> String {
    id.to_string()
}

#[post("/form", data = "<line>")]
fn form(line: Form<Line>) -> String {
    line.qty.to_string()
}

#[get("/boom")]
fn boom() -> String {
    panic!("{SECRET}")
}

type Explained = Result<String, (Status, String)>;

#[post("/orders", data = "<order>")]
fn create_explained(order: Result<Json<Order>, json::Error<'_>>) -> Explained {
    match order {
        Ok(order) => Ok(order.name.clone()),
        Err(error) => Err((status(&error), error.to_string())),
    }
}

/// Returns the status that rocket's own guard gives this error. The error itself does not have it.
fn status(error: &json::Error<'_>) -> Status {
    match error {
        json::Error::Io(error) if error.kind() == ErrorKind::UnexpectedEof => Status::PayloadTooLarge,
        json::Error::Parse(_, error) if error.is_data() => Status::UnprocessableEntity,
        _ => Status::BadRequest,
    }
}

#[get("/orders?<page>")]
fn list_explained(page: Result<u32, Errors<'_>>) -> Explained {
    page.map(|page| page.to_string()).map_err(status_and_text)
}

#[post("/form", data = "<line>")]
fn form_explained(line: Result<Form<Line>, Errors<'_>>) -> Explained {
    line.map(|line| line.qty.to_string()).map_err(status_and_text)
}

fn status_and_text(errors: Errors<'_>) -> (Status, String) {
    (errors.status(), errors.to_string())
}

#[post("/orders", data = "<order>")]
fn create_pointed(order: Result<PointedJson<Order>, (Status, String)>) -> Explained {
    order.map(|PointedJson(order)| order.name)
}

type Fields = Result<String, (Status, Value)>;

#[get("/orders?<page>")]
fn list_pointed(page: Result<u32, Errors<'_>>) -> Fields {
    page.map(|page| page.to_string()).map_err(fields)
}

#[post("/form", data = "<line>")]
fn form_pointed(line: Result<Form<Line>, Errors<'_>>) -> Fields {
    line.map(|line| line.qty.to_string()).map_err(fields)
}
