//! The flags of the admin address.

use std::fmt;
use std::net::SocketAddr;

use error_envelope_admin::{Admin, install_metrics};
use error_envelope_gateway::{GatewayConfig, ListeningSockets, SocketPurpose};
use tokio::net::TcpListener;
use tower_error_envelope::ErrorEnvelopeLayer;

use crate::failure::CommandError;

/// Its flags.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Admin address")]
pub(crate) struct AdminArgs {
    /// Serve health, metrics, the active policy, the kill switch and the errors page here; a port alone means loopback
    #[arg(long, value_name = "ADDR")]
    admin: Option<String>,
    /// Accept this host name on the admin address, besides localhost and IP addresses; repeatable
    #[arg(long, value_name = "NAME", requires = "admin", value_parser = host)]
    admin_host: Vec<String>,
}

/// The admin address, if there is one.
pub(crate) struct AdminListener(Option<Listening>);

struct Listening {
    admin: Admin,
    listener: TcpListener,
    address: SocketAddr,
}

impl AdminListener {
    pub(crate) async fn listen(args: &AdminArgs, sockets: &mut ListeningSockets) -> Result<Self, CommandError> {
        const HELP: &str = "choose another address, such as 127.0.0.1:9901 or 9901, or port 0 for a free one";
        let Some(address_flag) = &args.admin else { return Ok(Self(None)) };
        let refused = |error: &dyn fmt::Display, help: Option<&str>| {
            CommandError::Io(format!("--admin {address_flag}: {error}\n = help: {}", help.unwrap_or(HELP)))
        };
        let full =
            address_flag.parse::<u16>().map_or_else(|_| address_flag.clone(), |port| format!("127.0.0.1:{port}"));
        let listener = sockets.listen(SocketPurpose::Admin, Some(&full), &full).await;
        let listener = listener.map_err(|error| refused(&error.problem(), error.advice()))?;
        let address = listener.local_addr().map_err(|error| refused(&error, None))?;
        let metrics = install_metrics()
            .map_err(|error| CommandError::Io(format!("cannot install the metrics recorder: {error}")))?;
        let admin = args.admin_host.iter().fold(Admin::new().metrics(metrics), |admin, name| admin.allow_host(name));
        Ok(Self(Some(Listening { admin, listener, address })))
    }

    pub(crate) fn address(&self) -> Option<SocketAddr> {
        self.0.as_ref().map(|it| it.address)
    }

    /// Connects it to the layer: its events and its kill switch.
    pub(crate) fn layer(&self, layer: ErrorEnvelopeLayer) -> ErrorEnvelopeLayer {
        match &self.0 {
            Some(it) => it.admin.attach(layer),
            None => layer,
        }
    }

    /// Makes the gateway serve it.
    pub(crate) fn serve_with(self, config: GatewayConfig) -> GatewayConfig {
        match self.0 {
            Some(Listening { admin, listener, .. }) => config.admin(admin, listener),
            None => config,
        }
    }
}

fn host(name: &str) -> Result<String, String> {
    let is_name =
        !name.is_empty() && name.chars().all(|it| it.is_ascii_alphanumeric() || matches!(it, '-' | '.' | '_'));
    if is_name { Ok(name.to_owned()) } else { Err("write a host name alone, such as gateway.internal".to_owned()) }
}
