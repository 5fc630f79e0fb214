//! Tests the library's client (feature `client`), and the files that the clients of other languages are made of.

mod bounds;
mod manual;
mod parse;
mod retry;

use serde::Deserialize;
use serde::de::DeserializeOwned;

/// A response of a server, in the form of the cases that all clients share.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Answer {
    status: u16,
    #[serde(default)]
    headers: Vec<(String, String)>,
    /// Each character is a byte.
    body: String,
}

impl Answer {
    fn response(&self) -> http::Response<Vec<u8>> {
        let mut response = http::Response::builder().status(self.status);
        for (name, value) in &self.headers {
            response = response.header(name, value);
        }
        response.body(bytes(&self.body)).unwrap()
    }
}

fn bytes(text: &str) -> Vec<u8> {
    text.chars().map(|it| u8::try_from(u32::from(it)).expect("each character is a byte")).collect()
}

/// Reads the cases of `clients/cases/NAME.json`.
fn cases<T: DeserializeOwned>(text: &str) -> Vec<T> {
    let cases: Vec<T> = serde_json::from_str(text).unwrap();
    assert!(cases.len() > 10, "the cases are there");
    cases
}
