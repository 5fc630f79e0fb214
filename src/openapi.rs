//! Completes OpenAPI documents of utoipa or aide (features of the same names). A [`Fault`](crate::Fault) and error
//! types with `#[derive(AsFault)]` declare their own responses. [`PolicyResponses`] adds to each operation the possible
//! responses of the policy's guards.

use std::collections::BTreeMap;
use std::sync::Arc;

use error_envelope_core::openapi::{self, DeclaredError, Document, RouteErrors, any_error, shared};
#[cfg(feature = "aide")]
use serde_json::json;
use serde_json::{Map, Value};
#[cfg(feature = "aide")]
use {aide::openapi::ReferenceOr, error_envelope_core::openapi::VALIDATED};
#[cfg(feature = "utoipa")]
use {
    error_envelope_fault::responses::typed,
    serde::Deserialize,
    utoipa::Modify,
    utoipa::openapi::{Components, OpenApi, RefOr},
};

use crate::{ErrorCode, Policy};

/// Returns the operation of a path item for a method. The items of aide and utoipa have the same fields, but different
/// types.
macro_rules! operation_of {
    ($item:ident, $method:expr $(, $further:literal => $field:ident)?) => {
        match $method {
            "GET" => $item.get.as_mut(),
            "PUT" => $item.put.as_mut(),
            "POST" => $item.post.as_mut(),
            "DELETE" => $item.delete.as_mut(),
            "OPTIONS" => $item.options.as_mut(),
            "HEAD" => $item.head.as_mut(),
            "PATCH" => $item.patch.as_mut(),
            "TRACE" => $item.trace.as_mut(),
            $($further => $item.$field.as_mut(),)?
            _ => None,
        }
    };
}

/// Adds to each operation of a document the errors that the layer itself can return. These errors follow from the
/// policy's guards for the operation's method and path. Each error also gets the headers that every error of the layer
/// has.
///
/// 1. The guards add errors for credentials (401, 403, 503), for required headers and for paths with several readings
///    (400). If the operation has a body, they also add errors for its type (415) and size (413). Each operation gets
///    500. Errors that the HTTP server writes itself, such as hyper's 431, are not envelopes, and are not listed.
/// 2. The extractors add 400 if there are parameters, 415 if the body is JSON or a form, and 422 if it is JSON or a
///    form without files. In a document of aide, `Valid` and `Garde` add 422 to parameters. utoipa does not know them:
///    write `(status = 422, description = "…")` into the `responses` of its attribute.
/// 3. Errors that the document declares appear as this route's clients get them: with another name (`[[outward]]`), or
///    in another dialect. A response without a body gets the envelope with the code of its status.
/// 4. On routes in the modes `off` and `observe`, only the errors for credentials are added. Other guards refuse no
///    requests in these modes.
/// 5. If the operation has no `security` of its own, the policy's credentials become `security` and `securitySchemes`:
///    keys, tokens, certificates, and the challenge of a custom verifier. `Basic` and other registered schemes are of
///    the type `http`. A challenge such as `Session header="x-session"` becomes a key in the header `x-session`.
/// 6. Headers that the policy requires become parameters, unless the operation declares them.
///
/// An error type declares all of its codes in each operation that uses it. [`PolicyResponses::operation`] limits the
/// codes of one operation.
///
/// A status with several codes becomes a `oneOf`. Each branch contains one error, with its code as a `const` and with
/// the details of its own variant. The set of codes is open, but the document lists only the known codes. A branch for
/// any other code would match every code. Clients could then not tell from the code which details an error has.
///
/// ```
/// use tower_error_envelope::AsFault;
/// use utoipa::{IntoResponses, ToSchema};
///
/// #[derive(Debug, serde::Serialize, ToSchema)]
/// struct Offer {
///     cents: u32,
/// }
///
/// #[derive(Debug, thiserror::Error, AsFault)]
/// enum OrderError {
///     #[error("sold out")]
///     #[fault(custom("sold_out", 409), details(left))]
///     SoldOut { left: u32 },
///     #[error("other prices")]
///     #[fault(custom("price_changed", 409), details(offers))]
///     PriceChanged { offers: Vec<Offer> },
/// }
///
/// let conflict = serde_json::to_value(&OrderError::responses()["409"])?;
/// let errors = &conflict["content"]["application/json"]["schema"]["properties"]["error"]["oneOf"];
/// assert_eq!(errors[0]["properties"]["code"]["const"], "sold_out");
/// assert_eq!(errors[0]["properties"]["details"]["properties"]["left"]["type"], "integer");
/// let offer = &errors[1]["properties"]["details"]["properties"]["offers"]["items"];
/// assert_eq!(offer["properties"]["cents"]["type"], "integer");
/// # Ok::<(), serde_json::Error>(())
/// ```
///
/// `IntoResponses::responses` panics, and names the variant, in these cases:
///
/// - The type of a detail is neither `ToSchema` nor (feature `aide`) `JsonSchema`.
/// - The type of a detail contains itself.
/// - Two variants have the same code and different details.
///
/// [`Modify::modify`] panics if a response declares a code that no service can have.
///
/// The document's paths must be the paths that the layer gets. If the first of the document's `servers` has a path,
/// this path is put in front of each operation's path. [`PolicyResponses::also`] adds the errors of other layers around
/// the service.
///
/// ```
/// use tower_error_envelope::openapi::PolicyResponses;
/// use tower_error_envelope::{ErrorCode, Policy, RouteRule};
/// use utoipa::{Modify, OpenApi};
///
/// #[utoipa::path(post, path = "/orders", request_body = String, responses((status = 201, description = "Placed.")))]
/// async fn place() {}
///
/// #[derive(OpenApi)]
/// #[openapi(paths(place))]
/// struct Api;
///
/// let policy = Policy::builder().route(RouteRule::new("POST /orders").json(true).body_limit(4096)).build()?;
/// let mut document = Api::openapi();
/// PolicyResponses::new(policy).also([ErrorCode::GATEWAY_TIMEOUT]).modify(&mut document);
///
/// let responses = &document.paths.paths["/orders"].post.as_ref().unwrap().responses.responses;
/// let statuses: Vec<_> = responses.keys().map(String::as_str).collect();
/// assert_eq!(statuses, ["201", "400", "413", "415", "500", "504"]);
/// # Ok::<(), tower_error_envelope::PolicyError>(())
/// ```
#[derive(Clone, Debug)]
pub struct PolicyResponses {
    policy: Arc<Policy>,
    also: Vec<ErrorCode>,
    by_operation: BTreeMap<String, Vec<ErrorCode>>,
}

impl PolicyResponses {
    /// Creates a value for this policy. Pass the same policy as to the layer.
    #[must_use]
    pub fn new(policy: impl Into<Arc<Policy>>) -> Self {
        Self { policy: policy.into(), also: Vec::new(), by_operation: BTreeMap::new() }
    }

    /// Adds codes that any operation may return, such as those of a time limit or of load shedding around the service.
    #[must_use]
    pub fn also(mut self, codes: impl IntoIterator<Item = ErrorCode>) -> Self {
        self.also.extend(codes);
        self
    }

    /// Sets the codes that the service itself returns for one operation, by its method and its path in the document, as
    /// in `"POST /orders/{id}"`. These codes replace the codes that the operation's error types declare, and may
    /// include codes that no error type declares. The errors of the policy's guards and of extractors remain.
    ///
    /// ```
    /// use tower_error_envelope::openapi::PolicyResponses;
    /// use tower_error_envelope::{AsFault, ErrorCode, Policy};
    /// use utoipa::{Modify, OpenApi};
    ///
    /// #[derive(Debug, thiserror::Error, AsFault)]
    /// enum OrderError {
    ///     #[error("no such order")]
    ///     #[fault(NOT_FOUND)]
    ///     Unknown,
    ///     #[error("sold out")]
    ///     #[fault(CONFLICT)]
    ///     SoldOut,
    /// }
    ///
    /// #[utoipa::path(get, path = "/orders/{id}", params(("id" = u32, Path)), responses((status = 200, description = "It."), OrderError))]
    /// async fn show() {}
    ///
    /// #[derive(OpenApi)]
    /// #[openapi(paths(show))]
    /// struct Api;
    ///
    /// let mut document = Api::openapi();
    /// PolicyResponses::new(Policy::default())
    ///     .operation("GET /orders/{id}", [ErrorCode::NOT_FOUND])
    ///     .modify(&mut document);
    /// let responses = &document.paths.paths["/orders/{id}"].get.as_ref().unwrap().responses.responses;
    /// assert!(responses.contains_key("404") && !responses.contains_key("409"));
    /// ```
    ///
    /// # Panics
    ///
    /// [`Modify::modify`] panics if the document has no such operation.
    #[must_use]
    pub fn operation(mut self, operation: impl Into<String>, codes: impl IntoIterator<Item = ErrorCode>) -> Self {
        self.by_operation.entry(operation.into()).or_default().extend(codes);
        self
    }

    /// Completes a document of aide, as described for [`PolicyResponses`] (feature `aide`).
    ///
    /// ```
    /// use aide::axum::ApiRouter;
    /// use aide::axum::routing::post;
    /// use aide::openapi::OpenApi;
    /// use tower_error_envelope::openapi::PolicyResponses;
    /// use tower_error_envelope::{AsFault, Policy};
    ///
    /// #[derive(Debug, thiserror::Error, AsFault)]
    /// #[error("sold out")]
    /// #[fault(custom("sold_out", 409), details(left))]
    /// struct SoldOut {
    ///     left: u32,
    /// }
    ///
    /// async fn place(order: String) -> Result<String, SoldOut> {
    ///     if order == "lamp" { Ok(order) } else { Err(SoldOut { left: 0 }) }
    /// }
    ///
    /// let mut document = OpenApi::default();
    /// let app: axum::Router = ApiRouter::new().api_route("/orders", post(place)).finish_api(&mut document);
    /// PolicyResponses::new(Policy::default()).complete_aide(&mut document);
    ///
    /// let document = serde_json::to_value(&document)?;
    /// let responses = document["paths"]["/orders"]["post"]["responses"].as_object().unwrap();
    /// assert_eq!(responses.keys().collect::<Vec<_>>(), ["200", "400", "409", "413", "500"]);
    /// # Ok::<(), serde_json::Error>(())
    /// ```
    ///
    /// # Panics
    ///
    /// Panics in these cases:
    ///
    /// - A response declares a code that no service can have.
    /// - The document lacks an [operation](Self::operation) whose codes are set.
    /// - aide cannot read a completed part of the document.
    #[cfg(feature = "aide")]
    pub fn complete_aide(&self, openapi: &mut aide::openapi::OpenApi) {
        let Ok(mut document) = serde_json::to_value(&*openapi) else { return };
        self.complete(&mut document);
        let components = openapi.components.get_or_insert_default();
        for (name, response) in members(&document["components"]["responses"]) {
            components.responses.entry(name.clone()).or_insert_with(|| of_aide(response));
        }
        for (name, scheme) in members(&document["components"]["securitySchemes"]) {
            components.security_schemes.entry(name.clone()).or_insert_with(|| of_aide(scheme));
        }
        for operation in Document(&document).operations() {
            let item = openapi.paths.as_mut().and_then(|paths| paths.paths.get_mut(operation.key));
            let Some(ReferenceOr::Item(item)) = item else { continue };
            let Some(place) = operation_of!(item, operation.method.as_str()) else { continue };
            let completed = &operation.item["responses"];
            let responses = place.responses.get_or_insert_default();
            responses.default = responses.default.take().filter(|_| completed.get("default").is_some());
            // Responses that are not errors stay as aide wrote them.
            responses.responses.retain(|status, _| !status.to_string().starts_with(['4', '5']));
            let errors = members(completed).filter(|(status, _)| status.starts_with(['4', '5']));
            responses
                .responses
                .extend(errors.map(|(status, response)| (of_aide(&status[..].into()), of_aide(response))));
            let parameters = operation.item["parameters"].as_array().into_iter().flatten();
            let added: Vec<_> = parameters.skip(place.parameters.len()).map(of_aide).collect();
            place.parameters.extend(added);
            if place.security.is_empty() && operation.item.get("security").is_some() {
                place.security = of_aide(&operation.item["security"]);
            }
            place.extensions.shift_remove(VALIDATED);
        }
    }

    fn refuse_unknown(&self, operations: &[openapi::Operation<'_>]) {
        let known: Vec<_> = operations.iter().map(openapi::Operation::line).collect();
        if let Some(unknown) = self.by_operation.keys().find(|operation| !known.contains(operation)) {
            let known = known.join(", ");
            panic!("PolicyResponses::operation: the document has no operation {unknown:?}; write one of: {known}");
        }
    }

    fn route(&self, operation: &openapi::Operation<'_>) -> RouteErrors {
        let route = RouteErrors::new(Arc::clone(&self.policy), &operation.method, &operation.path);
        match self.by_operation.get(&operation.line()) {
            Some(codes) => route.own_codes(codes.iter().cloned()),
            None => route,
        }
    }

    fn of_operation(&self, operation: &openapi::Operation<'_>) -> BTreeMap<String, Value> {
        let route = self.route(operation);
        let existing = operation.responses().into_iter().map(|(status, response)| (status, response.clone()));
        let in_front = route.in_front(&operation.input());
        let also = self.also.iter().cloned().map(Into::into);
        let completed = route.completed(&existing.collect(), in_front.into_iter().chain(also));
        let mut responses = completed.unwrap_or_else(|why| panic!("{}: {why}", operation.line()));
        responses.retain(|status, _| status.starts_with(['4', '5']));
        responses
    }

    /// Completes a document in the form of JSON, which every generator of documents can produce.
    fn complete(&self, document: &mut Value) {
        let before = document.clone();
        let operations = Document(&before).operations();
        self.refuse_unknown(&operations);
        let mut all: Vec<_> = operations.iter().map(|operation| self.of_operation(operation)).collect();
        let known = members(&before["components"]["responses"]);
        let known = known.map(|(name, response)| (name.clone(), response.clone())).collect();
        for (name, response) in shared(&mut all, &known) {
            insert_absent(&mut document["components"]["responses"], &name, response);
        }
        for (operation, errors) in operations.iter().zip(all) {
            let path_item = &mut document["paths"][operation.key];
            let Some(place) = path_item.get_mut(operation.method.as_str().to_ascii_lowercase()) else { continue };
            let is_complete = self.by_operation.contains_key(&operation.line());
            let mut responses: Map<_, _> = members(&place["responses"])
                .filter(|(status, response)| match status.as_str() {
                    "default" => !is_complete || response["content"] != any_error()["content"],
                    status => !status.starts_with(['4', '5']) || errors.contains_key(status),
                })
                .map(|(status, response)| (status.clone(), response.clone()))
                .collect();
            responses.extend(errors);
            place["responses"] = responses.into();
            let route = self.route(operation);
            for parameter in route.header_parameters(operation) {
                match place["parameters"].as_array_mut() {
                    Some(parameters) => parameters.push(parameter),
                    None => place["parameters"] = vec![parameter].into(),
                }
            }
            if let Some(security) = route.security().filter(|_| place.get("security").is_none()) {
                place["security"] = security.requirements;
                for (name, scheme) in security.schemes {
                    insert_absent(&mut document["components"]["securitySchemes"], &name, scheme);
                }
            }
        }
    }
}

#[cfg(feature = "utoipa")]
impl Modify for PolicyResponses {
    fn modify(&self, openapi: &mut OpenApi) {
        let Ok(mut document) = serde_json::to_value(&*openapi) else { return };
        self.complete(&mut document);
        let components = openapi.components.get_or_insert_with(Components::new);
        for (name, response) in members(&document["components"]["responses"]) {
            components.responses.entry(name.clone()).or_insert_with(|| typed(response.clone()));
        }
        for (name, scheme) in members(&document["components"]["securitySchemes"]) {
            let Ok(scheme) = Deserialize::deserialize(scheme) else { continue };
            components.security_schemes.entry(name.clone()).or_insert(scheme);
        }
        for operation in Document(&document).operations() {
            let item = openapi.paths.paths.get_mut(operation.key);
            let Some(place) = item.and_then(|item| operation_of!(item, operation.method.as_str(), "QUERY" => query))
            else {
                continue;
            };
            let completed = &operation.item["responses"];
            let responses = &mut place.responses.responses;
            responses.retain(|status, _| completed.get(status).is_some());
            // Responses that are not errors stay as utoipa wrote them.
            let errors = members(completed).filter(|(status, _)| status.starts_with(['4', '5']));
            responses.extend(errors.map(|(status, response)| (status.clone(), typed(response.clone()))));
            let known = place.parameters.as_ref().map_or(0, Vec::len);
            let parameters = operation.item["parameters"].as_array().into_iter().flatten().skip(known);
            for parameter in parameters.filter_map(|parameter| RefOr::deserialize(parameter).ok()) {
                place.parameters.get_or_insert_default().push(parameter);
            }
            place.security =
                place.security.take().or_else(|| Deserialize::deserialize(&operation.item["security"]).ok());
        }
    }
}

fn members(object: &Value) -> impl Iterator<Item = (&String, &Value)> {
    object.as_object().into_iter().flatten()
}

fn insert_absent(object: &mut Value, name: &str, value: Value) {
    let place = &mut object[name];
    if place.is_null() {
        *place = value;
    }
}

/// Converts a part of a document for aide, which cannot read `true` and `false` as schemas, although it writes them.
#[cfg(feature = "aide")]
fn of_aide<T: serde::de::DeserializeOwned>(part: &Value) -> T {
    let mut part = part.clone();
    for group in ["content", "headers"] {
        for member in part.get_mut(group).and_then(Value::as_object_mut).into_iter().flat_map(Map::values_mut) {
            match &member["schema"] {
                Value::Bool(true) => member["schema"] = json!({}),
                Value::Bool(false) => member["schema"] = json!({ "not": {} }),
                _ => {}
            }
        }
    }
    serde_json::from_value(part).unwrap_or_else(|error| panic!("aide cannot read a part of its document: {error}"))
}

/// Returns the responses for these errors, by status. If the list may be incomplete, a response `default` describes any
/// other error.
#[doc(hidden)]
pub fn responses(errors: impl IntoIterator<Item = DeclaredError>, is_complete: bool) -> BTreeMap<String, Value> {
    let mut responses = RouteErrors::new(Policy::default(), &http::Method::GET, "/").responses(errors);
    responses.extend((!is_complete).then(|| ("default".to_owned(), any_error())));
    responses
}
