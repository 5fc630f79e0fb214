//! Tests that the layer does not change what it passes (E5, M1): heads, bytes, frames, trailers, `size_hint` and
//! `is_end_stream`. Only the id and `access-control-expose-headers` differ.
//!
//! Each script of a body is played twice, without the layer and with it. The results are compared: step by step in
//! process, byte by byte on HTTP/1, and frame by frame on HTTP/2. A 205 in `enforce` differs, because it loses its body
//! and states that (E5). It has its own test.

mod in_process;
mod scripted;
mod services;
mod wire;

use std::sync::LazyLock;

use http::HeaderMap;
use tower_error_envelope::{ErrorEnvelopeLayer, Mode, Policy};

/// A setting with which the layer leaves a response unchanged.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Setting {
    Off,
    Observe,
    Enforce,
}

type Headers = Vec<(String, Vec<u8>)>;

/// The statuses that pass in `off`, and also in `observe`.
const OFF: [u16; 9] = [200, 201, 206, 301, 304, 404, 422, 500, 503];
const ENFORCE: [u16; 7] = [200, 201, 206, 226, 301, 302, 307];

impl Setting {
    const ALL: [Self; 3] = [Self::Off, Self::Observe, Self::Enforce];

    fn layer(self) -> ErrorEnvelopeLayer {
        static LAYERS: LazyLock<[ErrorEnvelopeLayer; 3]> = LazyLock::new(|| {
            [Mode::Off, Mode::Observe, Mode::Enforce].map(|mode| {
                ErrorEnvelopeLayer::new().policy(Policy::builder().mode(mode).no_body_limit().build().unwrap())
            })
        });
        LAYERS[self as usize].clone()
    }

    /// Returns the statuses that pass with their bodies.
    fn statuses(self) -> &'static [u16] {
        if self == Self::Enforce { &ENFORCE } else { &OFF }
    }

    /// Returns true for headers that may differ. In `off` and `observe`, only the id may (M1).
    fn is_ours(self, name: &str) -> bool {
        name == "x-request-id" || name == "date" || self == Self::Enforce && name == "access-control-expose-headers"
    }

    /// Returns the headers in order, without those of the layer.
    fn others(self, headers: &HeaderMap) -> Headers {
        let others = headers.iter().filter(|(name, _)| !self.is_ours(name.as_str()));
        others.map(|(name, value)| (name.to_string(), value.as_bytes().to_vec())).collect()
    }
}
