//! Channels and messages in memory.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use super::errors::MessageError;

const MESSAGES_PER_CHANNEL: usize = 3;

#[derive(Clone, Default)]
pub(super) struct Store(Arc<Mutex<HashMap<String, Channel>>>);

#[derive(Clone, Default)]
pub(super) struct Channel {
    pub(super) is_private: bool,
    pub(super) messages: Vec<Message>,
    closed: Option<Closed>,
}

/// The reason why a channel was closed.
#[derive(Clone, serde::Deserialize)]
pub(super) struct Closed {
    reason: Option<String>,
}

#[derive(Clone, serde::Serialize, utoipa::ToSchema)]
pub(super) struct Message {
    pub(super) author: String,
    pub(super) text: String,
}

impl Store {
    pub(super) fn open(&self, name: String, is_private: bool) -> Result<(), MessageError> {
        let mut channels = self.0.lock().unwrap();
        if channels.contains_key(&name) {
            return Err(MessageError::Exists);
        }
        channels.insert(name, Channel { is_private, ..Channel::default() });
        Ok(())
    }

    /// Returns a copy, so that a panic of its reader does not poison the lock.
    pub(super) fn channel(&self, name: &str) -> Result<Channel, MessageError> {
        self.0.lock().unwrap().get(name).cloned().ok_or(MessageError::NoChannel)
    }

    /// Stores a message, and returns its number.
    pub(super) fn post(&self, name: &str, message: Message) -> Result<usize, MessageError> {
        self.in_open_channel(name, |channel| {
            if channel.messages.len() == MESSAGES_PER_CHANNEL {
                return Err(MessageError::Full { limit: MESSAGES_PER_CHANNEL });
            }
            channel.messages.push(message);
            Ok(channel.messages.len())
        })
    }

    pub(super) fn close(&self, name: &str, closed: Closed) -> Result<(), MessageError> {
        self.in_open_channel(name, |channel| {
            channel.closed = Some(closed);
            Ok(())
        })
    }

    fn in_open_channel<T>(
        &self,
        name: &str,
        change: impl FnOnce(&mut Channel) -> Result<T, MessageError>,
    ) -> Result<T, MessageError> {
        let mut channels = self.0.lock().unwrap();
        let channel = channels.get_mut(name).ok_or(MessageError::NoChannel)?;
        channel.check_open()?;
        change(channel)
    }
}

impl Channel {
    pub(super) fn check_open(&self) -> Result<(), MessageError> {
        match &self.closed {
            None => Ok(()),
            Some(Closed { reason }) => {
                Err(MessageError::Closed { messages: self.messages.len(), reason: reason.clone() })
            }
        }
    }
}
