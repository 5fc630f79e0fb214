//! Descriptors: each client takes one, and each request that is with the service another one.
//!
//! Most systems start a program with 1,024 of them and let it ask for more. A gateway that does not ask would be full with
//! a thousand clients that say nothing, and could not reach the service for those that do.

/// For what is neither a client nor a request: connections to the service that have just served one and are not used
/// again before they have settled, the log, the policy's files, the runtime, the admin address.
const OTHERS: u64 = 256;

/// Asks for as many as so many clients and requests take; says so where the system does not give them.
pub(crate) fn raise(clients: u32, requests: u32) {
    let wanted = u64::from(clients) + u64::from(requests) + OTHERS;
    match rlimit::increase_nofile_limit(wanted) {
        Ok(given) if given < wanted => tracing::warn!(
            descriptors = given,
            clients,
            requests,
            "the system gives fewer descriptors than --max-connections and --upstream-requests take: raise its limit \
             (ulimit -n, LimitNOFILE), or say fewer"
        ),
        Ok(_) => {}
        Err(error) => tracing::warn!(%error, "the limit of descriptors cannot be raised"),
    }
}
