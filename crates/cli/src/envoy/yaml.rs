//! Texts of an Envoy configuration.

use http::uri::Authority;

/// A host and a port.
#[derive(Clone, Debug)]
pub(super) struct Address {
    pub(super) host: String,
    pub(super) port: u16,
}

pub(super) fn address(text: &str) -> Result<Address, String> {
    let authority: Authority = text.parse().map_err(|error| format!("{error}; write HOST:PORT"))?;
    let port = authority.port_u16().ok_or("the port is missing; write HOST:PORT")?;
    let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
    Ok(Address { host, port })
}

impl Address {
    pub(super) fn yaml(&self) -> String {
        format!("{{ socket_address: {{ address: {}, port_value: {} }} }}", quoted(&self.host), self.port)
    }
}

/// A string of YAML, written as a JSON string, which YAML accepts.
pub(super) fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
