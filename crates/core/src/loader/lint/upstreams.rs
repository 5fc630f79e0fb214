//! The effect of a scope's `upstream`, and requests without a service.

use super::report::Report;
use crate::policy::error::TablePath;

/// More are counted.
const MOST_NAMED: usize = 3;

pub(super) fn lint(report: &mut Report<'_>) {
    let loaded = report.loaded;
    let Some(first) = loaded.builder.scopes.iter().position(|scope| scope.upstream.is_some()) else { return };
    let first = TablePath::Scope(first + 1);
    let wrong = "the gateway and envoy-config use this key; the layer and Envoy's module ignore it".to_owned();
    report.note("upstream-for-gateway", (&first, "upstream"), wrong, "if neither is used, remove it");
    let parts = loaded.policy.parts.iter().enumerate().skip(1);
    let open: Vec<_> = parts.filter(|(_, part)| part.upstream.is_none()).map(|(at, _)| at).collect();
    let named: Vec<_> =
        open.iter().take(MOST_NAMED).map(|at| report.location(&first, (&TablePath::Scope(*at), ""))).collect();
    let more = match open.len() - named.len() {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let scopes =
        if named.is_empty() { String::new() } else { format!(", or in the scopes of {}{more}", named.join(", ")) };
    let wrong =
        format!("no service is set outside of scopes{scopes}: without --upstream, the gateway answers 404 there");
    let advice = "start the gateway with --upstream URL if clients send requests outside of these scopes";
    report.note("no-upstream-elsewhere", (&first, "upstream"), wrong, advice);
}
