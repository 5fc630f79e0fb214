//! Serves salvo with the parsers of its requests, with the adapter of `examples/salvo.rs`.

use salvo::http::{ParseError, StatusCode, StatusError};
use salvo::{Depot, Handler, Request, Response, Router, Writer, async_trait, handler};
use serde::Deserialize;

use self::example::SalvoService;
use crate::pointed::salvo::{Refused, json, pairs};
use crate::{LIMIT, Line, Order, Page, SECRET};

#[allow(dead_code, reason = "its routes and its main are the example's own")]
#[path = "../../../examples/salvo.rs"]
mod example;

/// Returns a service with salvo's own responses, which do not report what was wrong.
pub(crate) fn service() -> SalvoService {
    routes(list, create, show, form)
}

/// Returns a service whose handlers respond with the error's own text.
pub(crate) fn telling() -> SalvoService {
    routes(list_explained, create_explained, show_explained, form_explained)
}

/// Returns a service with the parsers of `pointed/salvo.rs`.
pub(crate) fn pointed() -> SalvoService {
    routes(list_pointed, create_pointed, show, form_pointed)
}

fn routes(listing: impl Handler, creating: impl Handler, showing: impl Handler, lines: impl Handler) -> SalvoService {
    let one = Router::with_path("{id}").get(showing);
    SalvoService::new(
        Router::new()
            .push(Router::with_path("orders").get(listing).post(creating).push(one))
            .push(Router::with_path("form").post(lines))
            .push(Router::with_path("boom").get(boom)),
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

struct Explained(ParseError);

#[async_trait]
impl Writer for Explained {
    async fn write(self, _: &mut Request, _: &mut Depot, response: &mut Response) {
        response.status_code(match self.0 {
            ParseError::PayloadTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            _ => StatusCode::BAD_REQUEST,
        });
        response.render(self.0.to_string());
    }
}

#[handler]
async fn create_explained(request: &mut Request) -> Result<String, Explained> {
    Ok(request.parse_json_with_max_size::<Order>(LIMIT).await.map_err(Explained)?.name)
}

#[handler]
async fn list_explained(request: &mut Request) -> Result<String, Explained> {
    Ok(request.parse_queries::<Page>().map_err(Explained)?.page.to_string())
}

#[handler]
async fn show_explained(request: &mut Request) -> Result<String, Explained> {
    Ok(request.parse_params::<Id>().map_err(Explained)?.id.to_string())
}

#[handler]
async fn form_explained(request: &mut Request) -> Result<String, Explained> {
    Ok(request.parse_form::<Line>().await.map_err(Explained)?.qty.to_string())
}

#[handler]
async fn create_pointed(request: &mut Request) -> Result<String, Refused> {
    Ok(json::<Order>(request, LIMIT).await?.name)
}

#[handler]
async fn list_pointed(request: &mut Request) -> Result<String, Refused> {
    let query = request.uri().query().unwrap_or_default();
    Ok(pairs::<Page>(query.as_bytes())?.page.to_string())
}

#[handler]
async fn form_pointed(request: &mut Request) -> Result<String, Refused> {
    let body = request.payload_with_max_size(LIMIT).await?;
    Ok(pairs::<Line>(body)?.qty.to_string())
}

#[handler]
async fn boom() -> Result<String, StatusError> {
    Err(StatusError::internal_server_error().cause(std::io::Error::other(SECRET)))
}
