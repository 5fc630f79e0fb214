//! Explanations for programs that inspect policies and recorded exchanges: why an inner error becomes what it does, and
//! what it would become elsewhere. No served request uses this module.

use http::response;

use super::{Collected, Exchange, MapRuleId};
use crate::classify::{self, Explanation, Inner};
use crate::dialect::Dialect;

impl Exchange {
    /// Goes on in another dialect than the route's.
    #[must_use]
    pub fn as_if(mut self, dialect: Option<Dialect>) -> Self {
        if let Some(index) = dialect.and_then(|dialect| self.policy().dialect_index(dialect)) {
            (self.settings.dialect, self.settings.html) = (index, None);
        }
        if self.policy().dialect(&self.settings).spec().tells_time {
            let now = self.config.clock;
            self.cold.get_or_insert_default().began.get_or_insert_with(now);
        }
        self
    }

    /// What an inner error contains, and how each rule treats it.
    #[must_use]
    pub fn explain(&self, head: &response::Parts, body: Collected<'_>) -> Explanation {
        let decoded = self.decoded(&head.headers, body);
        let reason = self.reason(head, || matches!(body, Collected::Whole([])));
        let (status, headers) = (head.status, &head.headers);
        let inner = Inner { status, headers, body: decoded.as_deref(), reason: reason.as_deref() };
        self.with_known(inner, classify::explain)
    }

    /// The rules that were tried, in their order.
    #[must_use]
    pub fn map_rule(&self, index: usize) -> MapRuleId {
        MapRuleId::new(self.settings.part(), index)
    }
}
