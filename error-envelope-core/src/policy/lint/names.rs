//! Tables that nothing asks for, keys that have expired, and tokens that no audience is asked of.

use std::collections::HashSet;
use std::time::SystemTime;

use super::report::Report;
use crate::policy::error::TablePath;
use crate::policy::keys::TableSettings;

pub(super) fn lint(report: &mut Report<'_>, now: SystemTime) {
    let loaded = report.loaded;
    let asked = |names: fn(&TableSettings) -> Option<&Vec<String>>| -> HashSet<&str> {
        let parts = loaded.builder.parts();
        let tables = parts.flat_map(|part| std::iter::once(&part.keys).chain(part.routes.iter().map(|it| &it.keys)));
        tables.filter_map(names).flatten().map(String::as_str).collect()
    };
    let headers = asked(|keys| keys.require_headers.as_ref());
    for (name, _) in loaded.builder.headers.iter().filter(|(name, _)| !headers.contains(name.as_str())) {
        let wrong = "no route asks for the header".to_owned();
        report.warn("unused-header", (&TablePath::Header(name.clone()), ""), wrong, "name it in require_headers");
    }
    let schemes = asked(|keys| keys.auth.as_ref());
    for (name, scheme) in &loaded.builder.schemes {
        let place = TablePath::Auth(name.clone());
        if !schemes.contains(name.as_str()) {
            let wrong = "no route asks for the credentials".to_owned();
            report.warn("unused-auth", (&place, ""), wrong, "name it in auth, or no request is asked for them");
        }
        for (id, expired) in scheme.keys_expired_at(now) {
            let wrong = format!("the key {id:?} expired at {}", humantime::format_rfc3339_seconds(expired));
            let advice = "take it out once nobody sends it any more, or give it a later date";
            report.warn("expired-key", (&place, "keys"), wrong, advice);
        }
        if scheme.names_no_audience() {
            let wrong = "no audience is set: a token that names one is refused, and one that names none is taken, \
                         whichever service it was made for";
            let advice = "set audience to the name that tokens say";
            report.warn("jwt-without-audience", (&place, ""), wrong.to_owned(), advice);
        }
    }
}
