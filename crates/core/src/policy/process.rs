//! The tables that apply to the whole process, so that no scope may have them.

use std::time::Duration;

use super::choice::Trust;
use super::cors::CorsTable;
use crate::table::{Message, Size, tables};

tables! {
    /// How request ids are made (rules I2, I3, I4).
    pub(crate) struct RequestIdTable {
        trust: Trust,
        traceparent: bool,
        upstream: bool,
    }

    /// The owner of the codes, for RPC clients (rule P1).
    pub(crate) struct RpcTable {
        domain: Message,
    }

    /// How much may be read, and how long that may take (rules R4, G5).
    pub(crate) struct BudgetTable {
        max_bytes: Size,
        timeout: Duration,
    }

    /// Whether an observer gets the bodies of errors.
    pub(crate) struct ObserveTable {
        bodies: bool,
    }

    /// What a client can do next (rule E10).
    pub(crate) struct AdviceTable {
        retry: bool,
        docs: Message,
    }

    /// The name of this process in `Proxy-Status` (rule L4).
    pub(crate) struct ProxyTable {
        name: String = required,
    }

    /// All of these tables.
    pub(crate) struct ProcessTables {
        request_id: RequestIdTable,
        rpc: RpcTable,
        inspect: BudgetTable,
        observe: ObserveTable,
        drain: BudgetTable,
        advice: AdviceTable,
        cors: CorsTable,
        proxy: ProxyTable,
    }
}

/// How much may be read, and how long that may take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Budget {
    pub(crate) max_bytes: u64,
    pub(crate) timeout: Duration,
}

impl Budget {
    /// A longer body is not an error message, and waiting longer would cost the client more than the message is worth.
    pub(super) const INSPECT: Self = Self { max_bytes: 64 * 1024, timeout: Duration::from_secs(1) };

    /// Clients that write their whole request first can upload this much before they read the 413, and few need longer.
    pub(super) const DRAIN: Self = Self { max_bytes: 16 * 1024 * 1024, timeout: Duration::from_secs(2) };

    /// What the table sets, else this.
    pub(super) fn with(self, table: Option<&BudgetTable>) -> Self {
        Self {
            max_bytes: table.and_then(|table| table.max_bytes).map_or(self.max_bytes, |Size(bytes)| bytes),
            timeout: table.and_then(|table| table.timeout).unwrap_or(self.timeout),
        }
    }
}

/// How ids are created, and whether the service's own id is kept (rules I2, I3, I4).
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct IdSettings {
    pub(crate) trust_valid: bool,
    pub(crate) traceparent: bool,
    pub(crate) upstream: bool,
}

impl IdSettings {
    pub(super) fn new(table: Option<&RequestIdTable>) -> Self {
        let is_set = |flag: fn(&RequestIdTable) -> Option<bool>| table.and_then(flag).unwrap_or_default();
        Self {
            trust_valid: is_set(|table| table.trust.map(|trust| trust == Trust::Valid)),
            traceparent: is_set(|table| table.traceparent),
            upstream: is_set(|table| table.upstream),
        }
    }
}
