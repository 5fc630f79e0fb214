//! Converts errors of reqwest into faults, for `?` (feature `reqwest`).

use reqwest::Error;

use crate::code::ErrorCode;
use crate::fault::AsFault;

/// Converts the error of a call to another service into a fault. The error itself, which contains the address, is the
/// cause for the log, and clients get none of its text. If the address or its query is a secret, call `without_url` first.
///
/// | the error | the fault |
/// |---|---|
/// | `is_timeout` | 504 `gateway_timeout` |
/// | `is_builder`: the request was never sent | 500 `internal_error` |
/// | any other, such as a refused connection, an error status (`error_for_status`) or a body that does not parse | 502 `other` |
///
/// If a status of the other service means something to your own clients, map it where it occurs. For example, a 404 of
/// that service is usually not a 404 of your service.
///
/// ```
/// use tower_error_envelope::{ErrorCode, Fault};
///
/// async fn price(client: &reqwest::Client, url: &str) -> Result<String, Fault> {
///     Ok(client.get(url).send().await?.error_for_status()?.text().await?)
/// }
///
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// let fault = price(&reqwest::Client::new(), "no address").await.unwrap_err();
/// assert_eq!(fault.code(), &ErrorCode::INTERNAL_ERROR);
/// # });
/// ```
impl AsFault for Error {
    fn code(&self) -> ErrorCode {
        if self.is_timeout() {
            ErrorCode::GATEWAY_TIMEOUT
        } else if self.is_builder() {
            ErrorCode::INTERNAL_ERROR
        } else {
            ErrorCode::OTHER
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::time::Duration;

    use reqwest::{Client, Response};

    use crate::fault::Fault;

    #[tokio::test]
    async fn f1_each_failure_of_a_call_has_its_code_and_none_the_address() {
        let client = Client::builder().no_proxy().timeout(Duration::from_millis(50)).build().unwrap();
        // The first listener accepts connections and never responds. The second listener is closed again.
        let (silent, closed) = (TcpListener::bind("127.0.0.1:0").unwrap(), TcpListener::bind("127.0.0.1:0").unwrap());
        let url = |listener: &TcpListener| format!("http://{}/s3cr3t", listener.local_addr().unwrap());
        let (silent_url, closed_url) = (url(&silent), url(&closed));
        drop(closed);
        let refused = http::Response::builder().status(404).body("").unwrap();
        for (error, status, code) in [
            (client.get(silent_url).send().await.unwrap_err(), 504, "gateway_timeout"),
            (client.get(closed_url).send().await.unwrap_err(), 502, "other"),
            (client.get("s3cr3t").send().await.unwrap_err(), 500, "internal_error"),
            (Response::from(refused).error_for_status().unwrap_err(), 502, "other"),
        ] {
            let cause = error.to_string();
            let fault = Fault::from(error);
            let text = fault.code().message().to_owned();
            assert_eq!((fault.status().as_u16(), &*fault.message()), (status, &*text), "{cause}");
            assert_eq!(fault.code(), code, "{cause}");
            assert_eq!(std::error::Error::source(&fault).map(ToString::to_string), Some(cause));
        }
    }
}
