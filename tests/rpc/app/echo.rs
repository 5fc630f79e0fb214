//! The service: its own statuses, and how its streams break off.

use std::pin::Pin;
use std::time::Duration;

use futures_util::stream::{self, Stream, StreamExt, TryStreamExt};
use tokio::task::yield_now;
use tonic::metadata::{MetadataMap, MetadataValue};
use tonic::{Code, Request, Response, Status, Streaming};
use tonic_types::{ErrorDetails, StatusExt};

use super::pb::Words;
use super::pb::echo_server::Echo;
use super::{SCENARIO, SECRET};

#[derive(Clone, Copy)]
pub(crate) struct Speaker;

type Speech = Pin<Box<dyn Stream<Item = Result<Words, Status>> + Send>>;

#[tonic::async_trait]
impl Echo for Speaker {
    type RepeatStream = Speech;
    type TalkStream = Speech;

    async fn say(&self, request: Request<Words>) -> Result<Response<Words>, Status> {
        Scenario::from_metadata(request.metadata()).answer(request.into_inner())
    }

    async fn collect(&self, request: Request<Streaming<Words>>) -> Result<Response<Words>, Status> {
        let scenario = Scenario::from_metadata(request.metadata());
        let received = request.into_inner().try_collect::<Vec<_>>().await?;
        let text = received.iter().map(|words| &*words.text).collect();
        scenario.answer(Words { text, count: received.len() as u32 })
    }

    async fn repeat(&self, request: Request<Words>) -> Result<Response<Speech>, Status> {
        let scenario = Scenario::from_metadata(request.metadata());
        let words = request.into_inner();
        let times = words.count as usize;
        scenario.answer(scenario.speech(stream::iter(vec![Ok(words); times])))
    }

    async fn talk(&self, request: Request<Streaming<Words>>) -> Result<Response<Speech>, Status> {
        let scenario = Scenario::from_metadata(request.metadata());
        let mut received = request.into_inner();
        if scenario == Scenario::Own {
            while received.try_next().await?.is_some() {}
        }
        scenario.answer(scenario.speech(received))
    }
}

/// Each scenario also reads its request to the end. On HTTP/1, hyper would otherwise close the connection while the
/// client sends.
#[derive(Clone, Copy, PartialEq)]
enum Scenario {
    Fine,
    Own,
    OwnLate,
    PanicLate,
    ErrorLate,
}

impl Scenario {
    fn from_metadata(metadata: &MetadataMap) -> Self {
        match metadata.get(SCENARIO).map(MetadataValue::as_bytes) {
            Some(b"own") => Self::Own,
            Some(b"own_late") => Self::OwnLate,
            Some(b"panic_late") => Self::PanicLate,
            Some(b"error_late") => Self::ErrorLate,
            _ => Self::Fine,
        }
    }

    fn answer<T>(self, message: T) -> Result<Response<T>, Status> {
        if self == Self::Own {
            return Err(full_status());
        }
        let mut response = Response::new(message);
        response.metadata_mut().insert("x-greeting", MetadataValue::from_static("hello"));
        response.metadata_mut().insert_bin("x-greeting-bin", MetadataValue::from_bytes(b"\x00hello\xff"));
        Ok(response)
    }

    /// A late failure comes after two messages.
    fn speech(self, words: impl Stream<Item = Result<Words, Status>> + Send + 'static) -> Speech {
        if matches!(self, Self::Fine | Self::Own) {
            return words.boxed();
        }
        let two = words.enumerate().filter_map(async |(index, words)| (index < 2).then_some(words));
        match self {
            Self::OwnLate => two.chain(stream::once(async { Err(full_status()) })).boxed(),
            Self::PanicLate => two.chain(stream::once(panicking())).boxed(),
            // When this ends, the service around it fails.
            _ => two.boxed(),
        }
    }
}

/// The panic is not in the poll that returned the messages before it, because tonic would lose those.
async fn panicking() -> Result<Words, Status> {
    yield_now().await;
    panic!("{SECRET}")
}

/// Returns a status with everything that a status may have, and a text that gRPC writes with `%`.
pub(super) fn full_status() -> Status {
    let mut details = ErrorDetails::with_error_info("DOOR_SHUT", "echo.example", [("door".to_owned(), "7".to_owned())]);
    details.set_retry_info(Some(Duration::from_secs(3)));
    let mut metadata = MetadataMap::new();
    metadata.insert("x-own", MetadataValue::from_static("yes"));
    metadata.insert_bin("x-own-bin", MetadataValue::from_bytes(b"\x00yes\xff"));
    Status::with_error_details_and_metadata(Code::FailedPrecondition, "100 % zu: die Tür", details, metadata)
}
