//! OpenAPI documents by utoipa (feature `utoipa`): a [`Fault`] is `IntoResponses`, and [`PolicyResponses`] adds the possible
//! answers of the policy's guards to each operation of a document.

use std::collections::BTreeMap;
use std::sync::Arc;

use error_envelope_core::openapi::{self, DeclaredError, Document, RouteErrors, shared};
use error_envelope_fault::responses::typed;
use serde_json::Value;
use utoipa::openapi::path::{Operation, PathItem};
use utoipa::openapi::{Components, OpenApi, RefOr, Response};
use utoipa::{IntoResponses, Modify};

use crate::{ErrorCode, Fault, Policy};

/// Responses by status.
type Responses = BTreeMap<String, RefOr<Response>>;

/// Adds to each operation of a document the errors with which the layer itself can answer it, by the policy's guards for
/// its method and path. It also adds the headers that every error has.
///
/// 1. The guards: credentials (401, 403, 503), required headers and paths of several readings (400), and where the operation
///    has a body its type (415) and its size (413); then 431 and 500.
/// 2. The extractors: 400 where there are parameters, 422 and 415 where the body is JSON or a form.
/// 3. Errors that the document declares leave as this route's clients get them: by another name (`[[outward]]`), in another
///    dialect. A response without a body gets the envelope with the code of its status.
/// 4. On routes in `off` and `observe` only the credentials guard refuses anything, and nothing else is added.
///
/// A document's paths are those that the layer sees: if the first of its `servers` has a path, that path precedes them.
/// [`PolicyResponses::also`] adds the answers of other layers of the stack.
///
/// ```
/// use tower_error_envelope::openapi::PolicyResponses;
/// use tower_error_envelope::{ErrorCode, Policy, Route};
/// use utoipa::{Modify, OpenApi};
///
/// #[utoipa::path(post, path = "/orders", request_body = String, responses((status = 201, description = "Placed.")))]
/// async fn place() {}
///
/// #[derive(OpenApi)]
/// #[openapi(paths(place))]
/// struct Api;
///
/// let policy = Policy::builder().route(Route::new("POST /orders").json(true).body_limit(4096)).build()?;
/// let mut document = Api::openapi();
/// PolicyResponses::new(policy).also([ErrorCode::GATEWAY_TIMEOUT]).modify(&mut document);
///
/// let responses = &document.paths.paths["/orders"].post.as_ref().unwrap().responses.responses;
/// let statuses: Vec<_> = responses.keys().map(String::as_str).collect();
/// assert_eq!(statuses, ["201", "400", "413", "415", "431", "500", "504"]);
/// # Ok::<(), tower_error_envelope::PolicyError>(())
/// ```
#[derive(Clone, Debug)]
pub struct PolicyResponses {
    policy: Arc<Policy>,
    also: Vec<ErrorCode>,
}

impl PolicyResponses {
    /// Uses the policy of the layer.
    #[must_use]
    pub fn new(policy: impl Into<Arc<Policy>>) -> Self {
        Self { policy: policy.into(), also: Vec::new() }
    }

    /// Adds codes that any operation may be answered with, such as those of a time limit or of load shedding around the
    /// service.
    #[must_use]
    pub fn also(mut self, codes: impl IntoIterator<Item = ErrorCode>) -> Self {
        self.also.extend(codes);
        self
    }

    fn of_operation(&self, operation: &openapi::Operation<'_>) -> BTreeMap<String, Value> {
        let route = RouteErrors::new(Arc::clone(&self.policy), &operation.method, &operation.path);
        let existing = operation.responses().into_iter().map(|(status, response)| (status, response.clone()));
        let in_front = route.in_front(&operation.input());
        let mut responses =
            route.completed(&existing.collect(), in_front.into_iter().chain(self.also.iter().cloned().map(Into::into)));
        // Responses that are no errors stay as utoipa has them.
        responses.retain(|status, _| status.starts_with(['4', '5']));
        responses
    }
}

impl Modify for PolicyResponses {
    fn modify(&self, openapi: &mut OpenApi) {
        let Ok(document) = serde_json::to_value(&*openapi) else { return };
        let operations = Document(&document).operations();
        let mut all: Vec<_> = operations.iter().map(|operation| self.of_operation(operation)).collect();
        let known = document.pointer("/components/responses").and_then(Value::as_object);
        let known = known.into_iter().flatten().map(|(name, response)| (name.clone(), response.clone())).collect();
        let components = openapi.components.get_or_insert_with(Components::new);
        for (name, response) in shared(&mut all, &known) {
            components.responses.entry(name).or_insert_with(|| typed(response));
        }
        for (operation, responses) in operations.iter().zip(all) {
            let item = openapi.paths.paths.get_mut(operation.key);
            if let Some(place) = item.and_then(|item| place(item, operation.method.as_str())) {
                place.responses.responses.extend(responses.into_iter().map(|(status, it)| (status, typed(it))));
            }
        }
    }
}

fn place<'a>(item: &'a mut PathItem, method: &str) -> Option<&'a mut Operation> {
    match method {
        "GET" => item.get.as_mut(),
        "PUT" => item.put.as_mut(),
        "POST" => item.post.as_mut(),
        "DELETE" => item.delete.as_mut(),
        "OPTIONS" => item.options.as_mut(),
        "HEAD" => item.head.as_mut(),
        "PATCH" => item.patch.as_mut(),
        "TRACE" => item.trace.as_mut(),
        "QUERY" => item.query.as_mut(),
        _ => None,
    }
}

/// The responses of these errors; if the list may be incomplete, with one for any other.
#[doc(hidden)]
pub fn responses(errors: impl IntoIterator<Item = DeclaredError>, is_complete: bool) -> Responses {
    let route = RouteErrors::new(Policy::default(), &http::Method::GET, "/");
    let listed = route.responses(errors).into_iter().map(|(status, response)| (status, typed(response)));
    let any = if is_complete { Responses::new() } else { Fault::responses() };
    listed.chain(any).collect()
}
