//! poem with its stock extractors, by the adapter of `examples/poem.rs`.

use poem::error::InternalServerError;
use poem::middleware::SizeLimit;
use poem::web::{Form, Json, Path, Query};
use poem::{Endpoint, EndpointExt, Route, get, handler, post};

use self::example::EndpointService;
use crate::{LIMIT, Line, Order, Page, SECRET};

#[allow(dead_code, reason = "its routes and its main are the example's own")]
#[path = "../../../examples/poem.rs"]
mod example;

pub(crate) fn service() -> EndpointService<impl Endpoint> {
    EndpointService::new(
        Route::new()
            // The limit asks for a content-length, which a GET has not.
            .at("/orders", get(list).post(create.with(SizeLimit::new(LIMIT))))
            .at("/orders/:id", get(show))
            .at("/form", post(form.with(SizeLimit::new(LIMIT))))
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
fn boom() -> poem::Result<String> {
    Err(InternalServerError(std::io::Error::other(SECRET)))
}
