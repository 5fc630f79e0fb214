//! For programs that look at policies and at recorded exchanges: why an inner error becomes what it does, and what it
//! would become elsewhere. No request that is served comes here.

use http::response;

use super::{Collected, Exchange};
use crate::classify::heard::{self, Heard};
use crate::dialect::Dialect;

/// Which `[[map]]` rule decided the code of an inner error: `PolicyFile::map_rule` (feature `policy-file`) knows its line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct MapRuleId {
    /// The scope; 0 is the policy itself.
    pub(crate) part: u32,
    /// Of its rules, and behind them those of the scopes around it.
    pub(crate) index: u32,
}

impl Exchange {
    /// Goes on in another dialect than the route's.
    #[must_use]
    pub fn as_if(mut self, dialect: Option<Dialect>) -> Self {
        self.settings.dialect = dialect.unwrap_or(self.settings.dialect);
        if self.settings.dialect.form().tells_time {
            let now = self.terms.clock;
            self.aside.get_or_insert_default().began.get_or_insert_with(now);
        }
        self
    }

    /// What an inner error says, and what each rule makes of it.
    #[must_use]
    pub fn heard(&self, head: &response::Parts, body: Collected<'_>) -> Heard {
        let decoded = self.decoded(&head.headers, body);
        self.with_known(head.status, &head.headers, decoded.as_deref(), heard::heard)
    }

    /// The rules that were asked, in their order.
    #[must_use]
    pub fn map_rule(&self, index: usize) -> MapRuleId {
        MapRuleId { part: self.settings.part(), index: u32::try_from(index).unwrap_or(u32::MAX) }
    }
}
