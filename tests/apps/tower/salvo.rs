//! salvo with what its requests parse, by the adapter of `examples/salvo.rs`.

use salvo::http::{ParseError, StatusError};
use salvo::{Request, Router, handler};
use serde::Deserialize;

use self::example::SalvoService;
use crate::{LIMIT, Line, Order, Page, SECRET};

#[allow(dead_code, reason = "its routes and its main are the example's own")]
#[path = "../../../examples/salvo.rs"]
mod example;

pub(crate) fn service() -> SalvoService {
    let orders = Router::with_path("orders").get(list).post(create).push(Router::with_path("{id}").get(show));
    SalvoService::new(
        Router::new().push(orders).push(Router::with_path("form").post(form)).push(Router::with_path("boom").get(boom)),
    )
}

#[derive(Deserialize)]
struct Id {
    id: u32,
}

#[handler]
async fn create(request: &mut Request) -> Result<String, ParseError> {
    Ok(request.parse_json_with_max_size::<Order>(LIMIT).await?.name)
}

#[handler]
async fn list(request: &mut Request) -> Result<String, ParseError> {
    Ok(request.parse_queries::<Page>()?.page.to_string())
}

#[handler]
async fn show(request: &mut Request) -> Result<String, ParseError> {
    Ok(request.parse_params::<Id>()?.id.to_string())
}

#[handler]
async fn form(request: &mut Request) -> Result<String, ParseError> {
    Ok(request.parse_form::<Line>().await?.qty.to_string())
}

#[handler]
async fn boom() -> Result<String, StatusError> {
    Err(StatusError::internal_server_error().cause(std::io::Error::other(SECRET)))
}
