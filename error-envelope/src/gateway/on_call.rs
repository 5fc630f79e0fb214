//! The admin address beside the gateway: there where it was asked for, and up until the last request is through.

use std::net::SocketAddr;
use std::pin::pin;

use error_envelope_admin::{Admin, install_metrics};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tower_error_envelope::ErrorEnvelopeLayer;

use super::{count, tls};
use crate::failure::{Failure, say};

/// Its flags.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "On call")]
pub(crate) struct AdminArgs {
    /// Where to serve health, metrics, the policy in force, the kill switch and the observatory; a bare port is on loopback
    #[arg(long, value_name = "ADDR")]
    admin: Option<String>,
    /// A name by which the admin address may be asked, besides localhost and numbers; may be given again
    #[arg(long, value_name = "NAME", requires = "admin", value_parser = host)]
    admin_host: Vec<String>,
}

/// The admin address, or none.
pub(crate) struct OnCall(Option<Listening>);

struct Listening {
    admin: Admin,
    listener: TcpListener,
    address: SocketAddr,
}

impl OnCall {
    pub(crate) async fn listen(args: &AdminArgs) -> Result<Self, Failure> {
        let Some(asked) = &args.admin else { return Ok(Self(None)) };
        let refused = |error| {
            let help = "choose another address, such as 127.0.0.1:9901 or 9901, or port 0 for a free one";
            Failure::Io(format!("--admin {asked}: {error}\n = help: {help}"))
        };
        let listener = match asked.parse::<u16>() {
            Ok(port) => TcpListener::bind(("127.0.0.1", port)).await,
            Err(_) => TcpListener::bind(asked).await,
        };
        let listener = listener.map_err(refused)?;
        let address = listener.local_addr().map_err(refused)?;
        let metrics = install_metrics().map_err(|error| Failure::Io(format!("metrics cannot be recorded: {error}")))?;
        count::describe();
        tls::count::describe();
        let admin = args.admin_host.iter().fold(Admin::new().metrics(metrics), |admin, name| admin.allow_host(name));
        Ok(Self(Some(Listening { admin, listener, address })))
    }

    /// Says where, in a line of standard output behind the gateway's own.
    pub(crate) fn say(&self) -> Result<(), Failure> {
        self.0.as_ref().map_or(Ok(()), |it| say(format_args!("admin on http://{}", it.address)))
    }

    /// Lets it see what the layer does, and turn it off.
    pub(crate) fn layer(&self, layer: ErrorEnvelopeLayer) -> ErrorEnvelopeLayer {
        match &self.0 {
            Some(it) => it.admin.attach(layer),
            None => layer,
        }
    }

    /// `/readyz` says 503 from the moment that the gateway is to stop.
    pub(crate) fn drains_at<F: Future<Output = ()>>(&self, stop: F) -> impl Future<Output = ()> + use<F> {
        let admin = self.0.as_ref().map(|it| it.admin.clone());
        async move {
            stop.await;
            if let Some(admin) = admin {
                admin.drain();
            }
        }
    }

    /// Serves it until the gateway has ended.
    pub(crate) async fn beside<T>(self, gateway: impl Future<Output = T>) -> T {
        let Some(Listening { admin, listener, .. }) = self.0 else { return gateway.await };
        let (ended, end) = oneshot::channel::<()>();
        let admin = pin!(admin.serve(listener, async { drop(end.await) }));
        let gateway = async {
            let outcome = gateway.await;
            drop(ended);
            outcome
        };
        tokio::join!(admin, gateway).1
    }
}

fn host(name: &str) -> Result<String, String> {
    let is_name =
        !name.is_empty() && name.chars().all(|it| it.is_ascii_alphanumeric() || matches!(it, '-' | '.' | '_'));
    if is_name { Ok(name.to_owned()) } else { Err("say a host's name alone, such as gateway.internal".to_owned()) }
}
