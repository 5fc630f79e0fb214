//! Methods that no client sends. A guard on `POTS /admin` checks nothing, but looks as if it did.

use http::Method;

use super::report::Report;
use crate::guard::pattern::Pattern;
use crate::policy::error::TablePath;
use crate::table::suggestion::closest;

/// The methods in IANA's registry, except for `*` and `PRI`, which no client sends.
const REGISTERED: &str = "\
    ACL BASELINE-CONTROL BIND CHECKIN CHECKOUT CONNECT COPY DELETE GET HEAD LABEL LINK LOCK MERGE MKACTIVITY \
    MKCALENDAR MKCOL MKREDIRECTREF MKWORKSPACE MOVE OPTIONS ORDERPATCH PATCH POST PROPFIND PROPPATCH PUT \
    QUERY REBIND REPORT SEARCH TRACE UNBIND UNCHECKOUT UNLINK UNLOCK UPDATE UPDATEREDIRECTREF VERSION-CONTROL";

/// Methods of caches and of UPnP, which are in no registry.
const COMMON: &str = "BAN M-SEARCH NOTIFY PURGE SUBSCRIBE UNSUBSCRIBE";

pub(super) fn lint(report: &mut Report<'_>) {
    report.for_each_pattern(unregistered);
}

fn unregistered(report: &mut Report<'_>, at: (&TablePath, &str), pattern: &Pattern) {
    const NAME: &str = "method-unregistered";
    let known = |method: &str| REGISTERED.split(' ').chain(COMMON.split(' ')).any(|it| it == method);
    for method in pattern.methods().iter().map(Method::as_str).filter(|method| !known(method)) {
        let wrong = format!("{method} is not a registered method; only requests with exactly this method match");
        match closest(method, REGISTERED.split(' ')) {
            _ if matches!(method, "ALL" | "ANY") => {
                report.warn(NAME, at, wrong, "remove it: a path without a method matches all methods");
            }
            Some(near) => report.warn(NAME, at, wrong, &format!("did you mean {near}?")),
            None => report.note(NAME, at, wrong, "fine if clients send it"),
        }
    }
}
