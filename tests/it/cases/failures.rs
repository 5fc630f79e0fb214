//! The errors of a case's service. Their own texts are a secret that no client may read.

use std::error::Error;
use std::fmt;

use bytes::Bytes;
use tower_error_envelope::{ErrorCode, Fault};

use super::always::SECRET;
use super::format::{Fails, Inner, InnerFault};

pub(super) type BoxError = Box<dyn Error + Send + Sync>;

/// Returns the error of a service that fails by one. The other failures are not values.
pub(super) fn failure(inner: &Inner) -> Option<BoxError> {
    match inner.fails? {
        Fails::Error => {
            Some(inner.fault.as_ref().map_or_else(|| Opaque.into(), |inner_fault| fault(inner_fault).into()))
        }
        Fails::Timeout => Some(Wrapped(Box::new(tower::timeout::error::Elapsed::new())).into()),
        Fails::Overloaded => Some(Box::new(tower::load_shed::error::Overloaded::new())),
        Fails::Refused => Some(refused()),
        Fails::Panic | Fails::NotReady | Fails::PanicInReady | Fails::PanicInBody | Fails::ErrorInBody => None,
    }
}

/// Makes a fault as a service in Rust does.
pub(super) fn fault(inner_fault: &InnerFault) -> Fault {
    let mut fault = Fault::new(match inner_fault.own {
        Some(status) => ErrorCode::custom(inner_fault.code.clone().leak(), status),
        None => ErrorCode::in_catalogue(&inner_fault.code).expect("a code of the catalogue"),
    });
    if let Some(message) = &inner_fault.message {
        fault = fault.with_message(message.text());
    }
    if let Some(details) = &inner_fault.details {
        fault = fault.with_details(super::value::json(details).expect("the case's details are JSON"));
    }
    if let Some(status) = inner_fault.status {
        fault = fault.with_status(status);
    }
    for (name, value) in &inner_fault.headers {
        fault = fault.with_header(&**name, &**value);
    }
    fault
}

/// Returns the error of hyper-util's client for a closed port. This runs in its own thread, because the clock stands
/// still in the caller's.
fn refused() -> BoxError {
    use hyper_util::client::legacy::Client;
    let connect = || {
        let port = std::net::TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("its address");
        let client = Client::builder(hyper_util::rt::TokioExecutor::new()).build_http::<http_body_util::Empty<Bytes>>();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(client.get(format!("http://{port}/").parse().expect("a URI")))
    };
    let answer = std::thread::spawn(connect).join().expect("no panic");
    answer.expect_err("nobody listens there").into()
}

/// Returns the error of a body whose service fails within it, or whose connection broke.
pub(super) fn body_failure(inner: &Inner) -> BoxError {
    match inner.fails {
        Some(Fails::ErrorInBody) if inner.fault.is_some() => inner.fault.as_ref().map(fault).expect("a fault").into(),
        Some(Fails::ErrorInBody) => Opaque.into(),
        _ => Wrapped(std::io::Error::new(std::io::ErrorKind::ConnectionReset, SECRET).into()).into(),
    }
}

/// An error of an unknown type.
#[derive(Debug)]
pub(super) struct Opaque;

impl fmt::Display for Opaque {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(SECRET)
    }
}

impl Error for Opaque {}

/// An error without a meaning of its own, so that only the chain of sources has one.
#[derive(Debug)]
struct Wrapped(BoxError);

impl fmt::Display for Wrapped {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(SECRET)
    }
}

impl Error for Wrapped {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.0)
    }
}
