//! Uses reqwest with the contract's retry policy.
//!
//! `cargo run --manifest-path examples/client-reqwest/Cargo.toml -- http://127.0.0.1:8080/empty-404` requests that URL,
//! at most three times, and prints the result.

use std::error::Error;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use tower::retry::RetryLayer;
use tower::{Service, ServiceBuilder, ServiceExt, service_fn};
use tower_error_envelope::client::{ErrorReader, ReadErrorLayer, RetryPolicy};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let url = std::env::args().nth(1).ok_or("name what to ask for, such as http://127.0.0.1:8080/empty-404")?;
    // This is the time limit of one attempt. The policy's time limit is for all waits together.
    let http = reqwest::Client::builder().timeout(Duration::from_secs(10)).build()?;
    let response = client(http).oneshot(Request::get(url).body(Bytes::new())?).await?;
    match ErrorReader::new().check(response).await {
        Ok(response) => println!("{}", response.status()),
        Err(error) => println!("{error}; retry: {}", error.retry().as_str()),
    }
    Ok(())
}

fn client(
    http: reqwest::Client,
) -> impl Service<
    Request<Bytes>,
    Response = Response<impl http_body::Body<Data = Bytes, Error = reqwest::Error>>,
    Error = reqwest::Error,
> {
    let send = move |request: Request<Bytes>| {
        let http = http.clone();
        async move { http.execute(request.try_into()?).await.map(Response::<reqwest::Body>::from) }
    };
    ServiceBuilder::new()
        .layer(RetryLayer::new(RetryPolicy::new().attempts(3)))
        .layer(ReadErrorLayer::new(ErrorReader::new()))
        .service(service_fn(send))
}
