//! Envoy's part of the external processor: the filter with its modes, the replies that the processor cannot shape, and the
//! cluster.

use std::fmt::Write;

use error_envelope_core::code::ErrorCode;
use error_envelope_extproc::override_modes;
use http::StatusCode;

use super::yaml::{Address, quoted};

/// The filters, with every mode that the processor can request.
pub(super) fn filters() -> String {
    let mut modes = String::new();
    for mode in override_modes() {
        let fields = mode.map(|(field, value)| format!("{field}: {value}")).join(", ");
        let _ = writeln!(modes, "    - {{ {fields} }}");
    }
    format!(include_str!("processor/filters.yaml"), modes = modes)
}

/// The cluster of the processor.
pub(super) fn cluster(address: &Address) -> String {
    format!(include_str!("processor/cluster.yaml"), address = address.yaml())
}

/// The mappers for replies that the processor does not see.
pub(super) fn local_replies() -> String {
    format!(
        include_str!("processor/local_replies.yaml"),
        id = quoted(ID),
        code = quoted(&by_status(|code| code.as_str().to_owned())),
        message = quoted(&by_status(|code| code.message().to_owned())),
    )
}

/// The request id that the processor set, or else one made from the time at which Envoy's request began: the same in
/// header and body.
const ID: &str = r#"%COALESCE({"operators":[{"command":"DYNAMIC_METADATA","param":"error_envelope:request_id"},{"command":"START_TIME","param":"req_%s%9f0000000"}]})%"#;

/// A CEL expression that chooses a text by the response's status; the texts come from the catalogue.
fn by_status(text: impl Fn(&ErrorCode) -> String) -> String {
    let text_for = |status: u16| {
        StatusCode::from_u16(status).map(|status| text(&ErrorCode::of_status(status))).unwrap_or_default()
    };
    let usual = |status: u16| text_for(if status < 500 { 499 } else { 599 });
    let named: Vec<_> =
        (400..600).map(|status| (status, text_for(status))).filter(|(status, text)| *text != usual(*status)).collect();
    let usual = format!("response.code < 500 ? {} : {}", literal(&usual(400)), literal(&usual(500)));
    format!("%CEL({})%", choice(&named, &usual))
}

/// The expression splits the statuses in halves, because Envoy limits how deep expressions may be nested.
fn choice(named: &[(u16, String)], usual: &str) -> String {
    match named {
        [] => usual.to_owned(),
        [(status, text)] => format!("response.code == {status} ? {} : ({usual})", literal(text)),
        _ => {
            let (left, right) = named.split_at(named.len() / 2);
            format!("response.code < {} ? ({}) : ({})", right[0].0, choice(left, usual), choice(right, usual))
        }
    }
}

/// A string literal of CEL. Envoy takes a parenthesis and a percent sign as the end of the expression; no text here has
/// these.
fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'"))
}
