//! The forms that a fault's body can have.

use bytes::Bytes;

use super::Fault;
use crate::request_id::RequestId;

/// A form in which [`Fault::to_body`] can write a fault. A `policy::Dialect` of `tower-error-envelope` is such a form.
pub trait BodyForm {
    /// Returns the body of this fault, for a request with this id.
    fn body_of(&self, fault: &Fault, id: RequestId) -> Bytes;
}

impl Fault {
    /// Returns the body that a client would get. Use it for an error that is not sent as a response: in a message of a
    /// WebSocket, as an item of a batch, or as an event of a stream.
    ///
    /// `form` is a `policy::Dialect` of the layer; `Dialect::Standard` is the canonical envelope. `id` is the request's
    /// [`RequestId`], which handlers of axum can extract. The body does not contain the cause, so log the cause when
    /// you write the body.
    ///
    /// ```
    /// use tower_error_envelope::policy::Dialect;
    /// use tower_error_envelope::{ErrorCode, Fault, RequestId};
    ///
    /// let id: RequestId = "req_01JD2V5W8Z3Q4R6T8Y0A1B2C3D".parse()?;
    /// let fault = Fault::new(ErrorCode::NOT_FOUND).with_details(serde_json::json!({ "room": 7 }));
    /// assert_eq!(
    ///     fault.to_body(id, Dialect::Standard),
    ///     r#"{"error":{"code":"not_found","message":"Not found.","details":{"room":7}},"request_id":"req_01JD2V5W8Z3Q4R6T8Y0A1B2C3D"}"#,
    /// );
    /// # Ok::<(), tower_error_envelope::ParseRequestIdError>(())
    /// ```
    #[must_use]
    pub fn to_body(&self, id: RequestId, form: impl BodyForm) -> Bytes {
        form.body_of(self, id)
    }

    /// Returns the [body](Fault::to_body) as a message of a WebSocket (feature `ws`).
    ///
    /// ```
    /// use axum::extract::ws::WebSocket;
    /// use tower_error_envelope::policy::Dialect;
    /// use tower_error_envelope::{ErrorCode, Fault, RequestId};
    ///
    /// async fn serve(mut socket: WebSocket, id: RequestId) {
    ///     let fault = Fault::new(ErrorCode::RATE_LIMITED);
    ///     let _ = socket.send(fault.to_message(id, Dialect::Standard)).await;
    /// }
    /// ```
    #[cfg(feature = "ws")]
    #[must_use]
    pub fn to_message(&self, id: RequestId, form: impl BodyForm) -> axum::extract::ws::Message {
        let body = self.to_body(id, form);
        String::from_utf8_lossy(&body).into_owned().into()
    }
}
