//! The handlers. They validate input, check callers, and pass errors of other crates on with `?`.

use anyhow::Context;
use axum::extract::State;
use garde::Validate;
use serde::{Deserialize, Serialize};
use tower_error_envelope::auth::Identity;
use tower_error_envelope::extract::{Claims, Json, Path, Query};
use tower_error_envelope::{ErrorCode, Fault, Issue};

use super::errors::MessageError;
use super::store::{Closed, Message, Store};

/// The claims that the service reads.
#[derive(Deserialize)]
pub(super) struct Session {
    sub: String,
    #[serde(default)]
    roles: Vec<String>,
}

#[derive(Deserialize, Validate, utoipa::ToSchema)]
pub(super) struct NewChannel {
    #[garde(length(min = 1, max = 20), alphanumeric)]
    name: String,
    #[garde(skip)]
    #[serde(default)]
    private: bool,
}

#[derive(Deserialize, Validate, utoipa::ToSchema)]
pub(super) struct NewMessage {
    #[garde(length(min = 1, max = 40))]
    text: String,
    #[garde(inner(range(min = 1)))]
    reply_to: Option<usize>,
}

impl NewMessage {
    /// Posts a message. garde checks each field alone, and this function checks whether a message to which it replies
    /// exists.
    pub(super) fn post(self, store: &Store, channel: &str, session: &Session) -> Result<usize, Fault> {
        self.validate()?;
        let messages = store.channel(channel)?.messages.len();
        if self.reply_to.is_some_and(|number| number > messages) {
            return Err(Fault::invalid([Issue::new("reply_to", "No such message.").with_code("unknown_message")]));
        }
        Ok(store.post(channel, Message { author: session.sub.clone(), text: self.text })?)
    }
}

#[utoipa::path(post, path = "/channels", request_body = NewChannel,
    responses((status = 200, description = "The channel is open."), MessageError))]
pub(super) async fn open(State(store): State<Store>, Json(new): Json<NewChannel>) -> Result<(), Fault> {
    new.validate()?;
    Ok(store.open(new.name, new.private)?)
}

#[utoipa::path(post, path = "/channels/{channel}/messages", params(("channel" = String, Path)), request_body = NewMessage,
    responses((status = 200, description = "The message's number.", body = usize), MessageError))]
pub(super) async fn send(
    State(store): State<Store>,
    Path(channel): Path<String>,
    Claims(session): Claims<Session>,
    Json(new): Json<NewMessage>,
) -> Result<Json<usize>, Fault> {
    Ok(Json(new.post(&store, &channel, &session)?))
}

/// Anybody reads public channels; callers with a token read private ones, too.
#[utoipa::path(get, path = "/channels/{channel}/messages", params(("channel" = String, Path)),
    responses((status = 200, description = "The messages.", body = Vec<Message>), MessageError))]
pub(super) async fn list(
    State(store): State<Store>,
    Path(channel): Path<String>,
    caller: Option<Identity>,
) -> Result<Json<Vec<Message>>, MessageError> {
    let channel = store.channel(&channel)?;
    if channel.is_private && caller.is_none() { Err(MessageError::NoChannel) } else { Ok(Json(channel.messages)) }
}

/// Returns the latest message. The mistake in this handler shows a panic's place in the log: an empty channel has no
/// last message.
pub(super) async fn latest(
    State(store): State<Store>,
    Path(channel): Path<String>,
) -> Result<Json<Message>, MessageError> {
    Ok(Json(store.channel(&channel)?.messages.pop().expect("a message")))
}

pub(super) async fn close(
    State(store): State<Store>,
    Path(channel): Path<String>,
    identity: Identity,
    Query(closed): Query<Closed>,
) -> Result<(), Fault> {
    let session: Session = identity.claims()?;
    if !session.roles.iter().any(|role| role == "admin") {
        return Err(Fault::new(ErrorCode::FORBIDDEN));
    }
    Ok(store.close(&channel, closed)?)
}

#[derive(Serialize)]
pub(super) struct Member {
    name: String,
}

pub(super) async fn member(Path(name): Path<String>) -> Result<Json<Member>, Fault> {
    Ok(Json(find_member(name)?))
}

/// Stands for a database query.
fn find_member(name: String) -> Result<Member, sqlx::Error> {
    if name == "ada" { Ok(Member { name }) } else { Err(sqlx::Error::RowNotFound) }
}

pub(super) async fn notice() -> Result<String, Fault> {
    Ok(read_notice()?)
}

fn read_notice() -> anyhow::Result<String> {
    std::fs::read_to_string("/nowhere/notice.txt").context(ErrorCode::GONE).context("reading the notice")
}
