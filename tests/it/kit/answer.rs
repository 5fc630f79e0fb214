//! A whole response.

use bytes::Bytes;
use http::Response;
use http::response::Parts;
use http_body::Body;
use http_body_util::BodyExt;
use tower_error_envelope::RequestId;

/// A whole response.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) head: Parts,
    pub(crate) body: Bytes,
}

/// Reads a response to its end.
pub(crate) async fn answer<B>(response: Response<B>) -> Answer
where
    B: Body,
    B::Error: std::fmt::Debug,
{
    let (head, body) = response.into_parts();
    let body = body.collect().await.expect("the response's body ends well").to_bytes();
    Answer { head, body }
}

impl Answer {
    /// Returns the value of a header that is there once.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.headers.get_all(name).iter();
        let first = lines.next()?;
        assert!(lines.next().is_none(), "{name} is there twice: {:?}", self.head.headers);
        Some(first.to_str().unwrap())
    }

    /// Returns the id of the header. Asserts that it is well-formed (I1).
    pub(crate) fn id(&self) -> String {
        let id = self.header("x-request-id").expect("every response has an id").to_owned();
        assert_eq!(id.parse::<RequestId>().expect("the id is well formed").to_string(), id);
        id
    }
}
