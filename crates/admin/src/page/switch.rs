//! The kill switch: what it changes, and one form that turns it on or off.

use error_envelope_runtime::SwitchChange;
use http::StatusCode;
use maud::{Markup, html};

use super::text::{counted, foreign, time};
use crate::admin::Shared;
use crate::admin_request::AdminRequest;
use crate::change::Denied;
use crate::error_store::clock;
use crate::error_store::query::value;
use crate::visible::line;

/// The page of the switch. `denied` is the reason why the last change was refused.
pub(super) fn answer(request: &AdminRequest<'_>, denied: Option<&Denied>) -> (StatusCode, Markup) {
    let is_off = request.shared().switch.is_off();
    let page = html! {
        h1 { "Kill switch" }
        @if let Some(denied) = denied { div.banner.danger role="alert" { p { strong { "Nothing was changed." } " " (denied.why) "." } } }
        @if is_off {
            p.lead { "The kill switch is on: every route is in mode off. Turn it off, and the policy's modes apply again at once." }
        } @else {
            (changes(request.shared()))
        }
        @if let Some(change) = request.shared().switch.last_change() { (last_change(&change)) }
        @if request.admin.is_read_only() { (read_only()) } @else { (form(request, is_off)) }
    };
    (denied.map_or(StatusCode::OK, |denied| denied.status), page)
}

/// The last change of the switch: its time, author, reason and sender.
pub(super) fn last_change(change: &SwitchChange) -> Markup {
    let done = if change.is_off() { "Turned on " } else { "Turned off " };
    html! {
        p {
            (done) (time(clock::milliseconds(change.changed_at())))
            @if let Some(by) = change.by() { " by " (foreign(by)) }
            @if let Some(peer) = change.peer() { " (from " (peer) ")" }
            @if let Some(reason) = change.reason() { ": " (foreign(reason)) }
        }
    }
}

/// The form. If a change is refused, the form keeps what the operator wrote, except for the token.
fn form(request: &AdminRequest<'_>, is_off: bool) -> Markup {
    let given = |written: &str, name| {
        if written.is_empty() { value(request.query, name).unwrap_or_default() } else { written.to_owned() }
    };
    let (by, reason) = (given(&request.change.by, "by"), given(&request.change.reason, "reason"));
    html! {
        form.sure method="post" action=(if is_off { "/kill-switch/off" } else { "/kill-switch/on" }) {
            label { "Your name" input name="by" value=(line(&by)) maxlength="200" autocomplete="name"; }
            label { "Reason" input name="reason" value=(line(&reason)) maxlength="200"; }
            p.quiet { "Both appear in the log and on this page. They are not verified." }
            @if request.admin.token.is_some() {
                label { "Admin token" input name="token" type="password" required autocomplete="off"; }
                p.quiet { "The token in the file of --admin-token-file. The browser does not store it." }
            }
            @if is_off {
                p.choice { button.grave type="submit" { "Turn the switch off" } " " a href="/" { "Leave it on" } }
            } @else {
                label.tick { input type="checkbox" name="sure" required; " On every route, clients get what the services send" }
                p.choice { button.grave type="submit" { "Turn the switch on" } " " a href="/" { "Leave it off" } }
            }
        }
    }
}

fn read_only() -> Markup {
    html! {
        div.banner.warning role="note" {
            p {
                strong { "This address is read-only." } " Other machines can reach it, and no token protects changes. \
                                                         Start with "
                code { "--admin-token-file FILE" } ", or restart with " code { "--kill-switch" } "."
            }
        }
    }
}

fn changes(shared: &Shared) -> Markup {
    html! {
        p.lead { "The kill switch is off. Turn it on to put every route into mode off:" }
        ul.changes {
            @if let Some(status) = shared.policy_status() {
                @let figures = status.policy().summary();
                li { "This affects every request. The policy's mode now is " (figures.mode().as_str()) "; of its " (counted(figures.routes() as u64, "route")) ", some may have their own." }
            }
            li { "The services' errors pass unchanged. They are neither logged nor counted. Guards refuse nothing." }
            li { "Credentials are still required, and every response keeps its request id." }
            li { "It applies at once to new requests of this process, until it is turned off here or the process ends." }
            li { "The change is logged and counted." }
        }
    }
}
