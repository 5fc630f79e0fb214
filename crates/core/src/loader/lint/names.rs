//! Schemes and headers that nothing requires, and tokens for which no audience is required.

use std::collections::HashSet;

use super::report::Report;
use crate::policy::error::TablePath;
use crate::policy::keys::RouteTable;

pub(super) fn lint(report: &mut Report<'_>) {
    let loaded = report.loaded;
    let names_in = |names: fn(&RouteTable) -> Option<&Vec<String>>| -> HashSet<&str> {
        let parts = loaded.builder.parts();
        let tables = parts.flat_map(|part| std::iter::once(&part.keys).chain(part.routes.iter().map(|it| &it.keys)));
        tables.filter_map(names).flatten().map(String::as_str).collect()
    };
    let headers = names_in(|keys| keys.require_headers.as_ref());
    for (name, _) in loaded.builder.headers.iter().filter(|(name, _)| !headers.contains(name.as_str())) {
        let wrong = "no route requires the header".to_owned();
        report.warn(
            "unused-header",
            (&TablePath::Header(name.clone()), ""),
            wrong,
            "add it to require_headers, or remove the table",
        );
    }
    let schemes = names_in(|keys| keys.auth.as_ref());
    for (name, scheme) in &loaded.builder.schemes {
        let place = TablePath::Auth(name.clone());
        if !schemes.contains(name.as_str()) {
            let wrong = "no route uses the auth scheme".to_owned();
            report.warn("unused-auth", (&place, ""), wrong, "add it to auth, or remove the table");
        }
        if scheme.is_jwt_without_audience() {
            let wrong = "no audience is set: tokens with an audience are refused, and tokens without one are accepted for any service";
            let advice = "set audience to the value in the tokens";
            report.warn("jwt-without-audience", (&place, ""), wrong.to_owned(), advice);
        }
    }
}
