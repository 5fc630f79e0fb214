//! `error-envelope mode`: the kill switch of running gateways, by their admin addresses.
//!
//! [`gateways`] are those of `--admin` and of a fleet's file; [`request`] calls one. All are called at once, and their
//! results are printed in the order in which they were named.

mod gateways;
mod request;

use std::path::PathBuf;

use futures_util::future::join_all;
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use self::gateways::Gateway;
use self::request::{Answer, Order, To};
use crate::failure::{CommandError, block_on, print_unless_closed};
use crate::gateway::limits::time;
use crate::report::{OutputFormat, json_text};
use crate::text::counted;

/// Turn the kill switch of running gateways on or off
///
/// `off` puts every route in mode off at once: the service's errors pass unchanged, with a request id, and credentials
/// are still checked. `policy` applies the policy's own modes again. `status` shows the current state, its time, and
/// who set it and why. The switch is kept in memory: a restart clears it. The command sends the request to all gateways
/// at the same time. The exit code is 1 if one of them failed.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Set the switch to this state, or show the current one
    #[arg(value_enum)]
    to: To,
    /// Connect to this admin address, as set by `gateway --admin`; repeatable [default:
    /// http://127.0.0.1:9901]
    #[arg(long, value_name = "URL", value_parser = gateways::address)]
    admin: Vec<http::Uri>,
    /// Also connect to the admin addresses in FILE: one per line, as ADDRESS or NAME ADDRESS; # begins a comment
    #[arg(long, value_name = "FILE")]
    fleet: Option<PathBuf>,
    /// Limit the time to wait for a gateway's response; a slower one counts as failed
    #[arg(long, value_name = "TIME", value_parser = time, default_value = "5s")]
    timeout: humantime::Duration,
    /// Record this name with the switch, for the log and the admin page
    #[arg(long, value_name = "NAME")]
    by: Option<String>,
    /// Record this reason with the switch, for the log and the admin page
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// Send the token in this file, as gateways with --admin-token-file require it
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// Set the output format
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t)]
    format: OutputFormat,
}

/// The most gateways to call at once: the default limit of open files on most systems allows as many, with some to
/// spare.
const MOST_AT_ONCE: usize = 256;

pub(crate) fn run(args: &Args) -> Result<u8, CommandError> {
    let gateways = gateways::all_gateways(&args.admin, args.fleet.as_deref())?;
    let token = args.token_file.as_deref().map(request::token).transpose()?;
    let order = Order::new(args.to, args.by.as_deref(), args.reason.as_deref(), *args.timeout).token(token);
    let answers = block_on(async { Ok(send_to_all(&gateways, &order).await) })?;
    let failed = answers.iter().filter(|answer| answer.is_err()).count();
    match args.format {
        OutputFormat::Json => print_unless_closed(&as_json(&gateways, &answers, failed))?,
        OutputFormat::Human => print_lines(&gateways, &answers, failed)?,
    }
    Ok(u8::from(failed > 0))
}

type Answered = Result<Answer, String>;

async fn send_to_all(gateways: &[Gateway], order: &Order) -> Vec<Answered> {
    let places = Semaphore::new(MOST_AT_ONCE);
    let send = async |gateway: &Gateway| {
        let _place = places.acquire().await;
        order.send(&gateway.address).await
    };
    join_all(gateways.iter().map(send)).await
}

/// Prints successes on standard output, and failures on standard error.
fn print_lines(gateways: &[Gateway], answers: &[Answered], failed: usize) -> Result<(), CommandError> {
    let count = gateways.len();
    for (gateway, answer) in gateways.iter().zip(answers) {
        let name = if count == 1 && gateway.name.is_none() { String::new() } else { format!("{gateway}: ") };
        match answer {
            Ok(answer) => print_unless_closed(&format!("{name}{answer}\n"))?,
            Err(why) => anstream::eprintln!("{gateway}: {why}"),
        }
    }
    if count > 1 {
        print_unless_closed(&format!("{}: {} done, {failed} failed\n", counted(count, "gateway"), count - failed))?;
    }
    Ok(())
}

fn as_json(gateways: &[Gateway], answers: &[Answered], failed: usize) -> String {
    let gateways = gateways.iter().zip(answers).map(|(gateway, answer)| {
        let mut object = json!({ "name": gateway.to_string(), "admin": gateway.url(), "ok": answer.is_ok() });
        match answer {
            Ok(answer) => answer.write(&mut object),
            Err(why) => object["error"] = Value::from(why.lines().next().unwrap_or_default()),
        }
        object
    });
    let gateways: Vec<_> = gateways.collect();
    json_text(&json!({ "gateways": gateways, "failed": failed }))
}
