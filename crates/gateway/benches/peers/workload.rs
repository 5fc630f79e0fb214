//! The requests that the proxies get.

use std::net::SocketAddr;

use crate::clients;

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Workload {
    Success,
    Error,
    Upload,
    Download,
    Tls,
    Http2,
    Many,
}

impl Workload {
    pub(crate) const ALL: &'static [Self] =
        &[Self::Success, Self::Error, Self::Upload, Self::Download, Self::Tls, Self::Http2, Self::Many];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Success => "200, 32 connections",
            Self::Error => "404 rewritten and logged",
            Self::Upload => "1 MB upload",
            Self::Download => "10 MB download",
            Self::Tls => "TLS, HTTP/1, 32 connections",
            Self::Http2 => "TLS, HTTP/2, 4 connections of 16 streams",
            Self::Many => "200, 1,024 connections",
        }
    }

    /// Returns the highest allowed cost of the gateway, as a multiple of the bare proxy's cost.
    pub(crate) const fn limit(self) -> f64 {
        match self {
            Self::Success | Self::Tls => 1.05,
            Self::Http2 => 1.08,
            Self::Error => 1.5,
            Self::Upload | Self::Download | Self::Many => 1.15,
        }
    }

    pub(crate) const fn is_tls(self) -> bool {
        matches!(self, Self::Tls | Self::Http2)
    }

    /// Returns the number of requests. It is so large that one per cent of the proxy's time is many ticks of the
    /// scheduler.
    pub(crate) const fn requests(self, quick: bool) -> usize {
        let whole = match self {
            Self::Success | Self::Error | Self::Tls | Self::Http2 => 10_000,
            Self::Many => 40_000,
            Self::Upload => 300,
            Self::Download => 50,
        };
        if quick { whole / 5 } else { whole }
    }

    /// Sends this number of requests to `proxy`, and panics if a response is not the expected one.
    pub(crate) fn run(self, proxy: SocketAddr, requests: usize) {
        let load = match self {
            Self::Success | Self::Tls => clients::Load { connections: 32, ..clients::Load::get("/ok", 200) },
            Self::Many => clients::Load { connections: 1_024, ..clients::Load::get("/ok", 200) },
            Self::Error => clients::Load { connections: 32, ..clients::Load::get("/missing", 404) },
            Self::Http2 => clients::Load { connections: 4, streams: 16, ..clients::Load::get("/ok", 200) },
            Self::Upload => clients::Load { connections: 4, upload: 1_000_000, ..clients::Load::get("/upload", 200) },
            Self::Download => clients::Load { connections: 4, ..clients::Load::get("/download", 200) },
        };
        load.run(proxy, self.is_tls(), requests);
    }
}
