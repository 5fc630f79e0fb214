//! Errors without a response: messages of a WebSocket, items of a batch, the end of an event stream.

use axum::extract::State;
use axum::extract::ws::{Message as Frame, WebSocket, WebSocketUpgrade};
use axum::response::Response;
use axum::response::sse::{Event, Sse};
use futures_util::{Stream, StreamExt, stream};
use serde_json::value::RawValue;
use tower_error_envelope::extract::{Claims, Json, Path};
use tower_error_envelope::policy::Dialect;
use tower_error_envelope::{Fault, RequestId};

use super::channels::{NewMessage, Session};
use super::errors::MessageError;
use super::store::Store;

/// Returns a result for each message: its number or its error.
#[utoipa::path(post, path = "/channels/{channel}/batch", params(("channel" = String, Path)), request_body = Vec<NewMessage>,
    responses((status = 200, description = "A result for each message.")))]
pub(super) async fn batch(
    State(store): State<Store>,
    Path(channel): Path<String>,
    Claims(session): Claims<Session>,
    id: RequestId,
    Json(messages): Json<Vec<NewMessage>>,
) -> Json<Vec<Box<RawValue>>> {
    let post = |message: NewMessage| message.post(&store, &channel, &session);
    Json(messages.into_iter().map(|message| reply(post(message), id)).collect())
}

/// Posts each JSON message of the socket, and replies with its number or its error.
pub(super) async fn socket(
    State(store): State<Store>,
    Path(channel): Path<String>,
    Claims(session): Claims<Session>,
    id: RequestId,
    upgrade: WebSocketUpgrade,
) -> Result<Response, MessageError> {
    store.channel(&channel)?;
    Ok(upgrade.on_upgrade(async move |socket| serve(socket, store, channel, session, id).await))
}

async fn serve(mut socket: WebSocket, store: Store, channel: String, session: Session, id: RequestId) {
    while let Some(Ok(frame)) = socket.recv().await {
        let Frame::Text(text) = frame else { continue };
        let posted =
            Json::<NewMessage>::from_bytes(text.as_bytes()).and_then(|it| it.0.post(&store, &channel, &session));
        if socket.send(Frame::Text(reply(posted, id).get().into())).await.is_err() {
            return;
        }
    }
}

/// Writes the reply to a message. The layer does not see these errors, so they are logged here.
fn reply(posted: Result<usize, Fault>, id: RequestId) -> Box<RawValue> {
    let body = match posted {
        Ok(number) => format!(r#"{{"number":{number}}}"#),
        Err(fault) => {
            tracing::info!(%id, error = %fault, "refused a message");
            String::from_utf8_lossy(&fault.to_body(id, Dialect::Standard)).into_owned()
        }
    };
    RawValue::from_string(body).expect("a number in an object, or an envelope")
}

/// Returns the messages as events. The stream of a closed channel ends with an error.
pub(super) async fn events(
    State(store): State<Store>,
    Path(channel): Path<String>,
) -> Result<Sse<impl Stream<Item = Result<Event, Fault>>>, MessageError> {
    let channel = store.channel(&channel)?;
    let end = channel.check_open().err().map(|error| Err(Fault::from(error)));
    let messages = channel.messages.into_iter().map(|message| Ok(Event::default().data(message.text)));
    Ok(Sse::new(stream::iter(messages).chain(stream::iter(end))))
}
