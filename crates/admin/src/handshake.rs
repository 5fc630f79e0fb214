//! What may come before HTTP on a connection, as a handshake of TLS.

use std::io;
use std::pin::Pin;
use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncWrite};

/// The connection of a client.
pub trait Connection: AsyncRead + AsyncWrite + Send + Unpin {}

impl<C: AsyncRead + AsyncWrite + Send + Unpin> Connection for C {}

/// A connection once its handshake has ended.
pub type Shaken = Pin<Box<dyn Future<Output = io::Result<Box<dyn Connection>>> + Send>>;

/// A handshake before HTTP/1.1, as of TLS.
pub type Handshake = Arc<dyn Fn(Box<dyn Connection>) -> Shaken + Send + Sync>;
