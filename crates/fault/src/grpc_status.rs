//! Conversions for handlers of tonic (feature `tonic`): from a [`Fault`] to a [`tonic::Status`], and back.
//!
//! 1. A method of a service may fail with a [`Fault`], which `?` converts into a status. The code of the fault decides
//!    the gRPC status, and the text of the fault is the message. The code, the details and the issues become
//!    `google.rpc.ErrorInfo` and `BadRequest` in the details of the status, and the headers of the fault become
//!    metadata. The metadata `x-error-code` passes the code to the layer, which adds the request id.
//! 2. If a handler calls another service, `?` converts the received status into a fault. The code is the reason in the
//!    `ErrorInfo`, if the reason is in the catalogue or from a service with the layer. Otherwise the status decides the
//!    code. Violations become an issue list, metadata become details, and `RetryInfo` becomes `retry-after`. If the
//!    reason does not decide the code, the client gets the text only if the status is a client error. The status itself
//!    is always logged.
//! 3. If the `Error` of a service has a [`tonic::Status`] among its causes, the layer responds in the same way.
//!
//! ```
//! use tonic::{Request, Response, Status};
//! use tower_error_envelope::{ErrorCode, Fault, RequestId};
//!
//! fn find(id: u64) -> Result<String, Fault> {
//!     Err(Fault::new(ErrorCode::NOT_FOUND).with_details(serde_json::json!({ "seat": id })))
//! }
//!
//! async fn reserve(request: Request<u64>) -> Result<Response<String>, Status> {
//!     let _id = request.extensions().get::<RequestId>();
//!     let seat = find(*request.get_ref())?;
//!     Ok(Response::new(seat))
//! }
//!
//! let status = tokio::runtime::Builder::new_current_thread().build()?.block_on(reserve(Request::new(7))).unwrap_err();
//! assert_eq!((status.code(), status.message()), (tonic::Code::NotFound, "Not found."));
//! assert_eq!(Fault::from(status).details_json(), Some(r#"{"seat":7}"#));
//! # Ok::<(), std::io::Error>(())
//! ```

mod status;

use std::sync::Arc;
use std::time::SystemTime;

use http::{HeaderName, HeaderValue};
use tonic::metadata::MetadataMap;
use tonic::{Code, Status};

use crate::fault::Fault;
use crate::rpc;
use crate::rpc::details::{DOMAIN, RpcError};
use crate::rpc::status::Status as RpcStatus;

pub use self::status::fault_of_cause;

const X_ERROR_CODE: HeaderName = HeaderName::from_static("x-error-code");

impl From<Fault> for Status {
    /// Converts the fault into a status. The fault becomes the source of the status, where a layer in the same process
    /// finds it.
    fn from(fault: Fault) -> Self {
        let grpc = RpcStatus::from_code(fault.code());
        let text = fault.message();
        let error = RpcError {
            status: grpc,
            code: fault.code().as_str(),
            message: &text,
            details: fault.details_json(),
            request_id: None,
            domain: DOMAIN,
            retry_after: rpc::retry_after(fault.headers(), now),
        };
        let details = error.to_bytes(rpc::details::room_beside(3 * text.len()));
        let mut headers = fault.headers().clone();
        if let Ok(code) = HeaderValue::from_str(fault.code().as_str()) {
            headers.insert(X_ERROR_CODE, code);
        }
        let metadata = MetadataMap::from_headers(headers);
        let code = Code::from_i32(grpc.number().into());
        let mut status = Self::with_details_and_metadata(code, text, details.into(), metadata);
        status.set_source(Arc::new(fault));
        status
    }
}

#[allow(clippy::disallowed_methods, reason = "an adapter may read the clock")]
fn now() -> SystemTime {
    SystemTime::now()
}

impl From<Status> for Fault {
    /// Returns the fault from which the status was made, or otherwise a new one whose source is the status.
    fn from(status: Status) -> Self {
        let fault = status::of_status(&status);
        if crate::cause::find::<Self>(&status).is_some() { fault } else { fault.with_source(status) }
    }
}

#[cfg(test)]
mod tests;
