//! Serves poem twice, with its own extractors and with those of `pointed/poem.rs`, with the adapter of
//! `examples/poem.rs`.

use poem::error::InternalServerError;
use poem::middleware::SizeLimit;
use poem::web::{Form, Json, Path, Query};
use poem::{Endpoint, EndpointExt, Route, get, handler, post};

use self::example::EndpointService;
use crate::pointed::poem::{PointedJson, PointedQuery, pairs};
use crate::{LIMIT, Line, Order, Page, SECRET};

#[allow(dead_code, reason = "its routes and its main are the example's own")]
#[path = "../../../examples/poem.rs"]
mod example;

pub(crate) fn service() -> EndpointService<impl Endpoint> {
    routes(list, create, form)
}

pub(crate) fn pointed() -> EndpointService<impl Endpoint> {
    routes(list_pointed, create_pointed, form_pointed)
}

fn routes(
    listing: impl Endpoint + 'static,
    creating: impl Endpoint + 'static,
    lines: impl Endpoint + 'static,
) -> EndpointService<impl Endpoint> {
    EndpointService::new(
        Route::new()
            // The limit requires a content-length, which a GET does not have.
            .at("/orders", get(listing).post(creating.with(SizeLimit::new(LIMIT))))
            .at("/orders/:id", get(show))
            .at("/form", post(lines.with(SizeLimit::new(LIMIT))))
            .at("/boom", get(boom)),
    )
}

#[handler]
fn create(Json(order): Json<Order>) -> String {
    order.name
}

#[handler]
fn list(Query(page): Query<Page>) -> String {
    page.page.to_string()
}

#[handler]
fn show(Path(id): Path<u32>) -> String {
    id.to_string()
}

#[handler]
fn form(Form(line): Form<Line>) -> String {
    line.qty.to_string()
}

#[handler]
fn create_pointed(PointedJson(order): PointedJson<Order>) -> String {
    order.name
}

#[handler]
fn list_pointed(PointedQuery(page): PointedQuery<Page>) -> String {
    page.page.to_string()
}

#[handler]
fn form_pointed(body: Vec<u8>) -> poem::Result<String> {
    Ok(pairs::<Line>(&body)?.qty.to_string())
}

#[handler]
fn boom() -> poem::Result<String> {
    Err(InternalServerError(std::io::Error::other(SECRET)))
}
