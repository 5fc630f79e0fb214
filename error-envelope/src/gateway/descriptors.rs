//! Descriptors: each client takes one, and each request that runs another one towards the service.
//!
//! Most systems start a program with 1,024 of them and let it ask for more. A gateway that does not ask would be full with
//! a thousand clients that say nothing, and could not reach the service for those that do.

/// For what is neither a client nor a request: the log, the policy's files, the runtime, the admin address.
const OTHERS: u64 = 64;

/// Asks for as many as so many clients with a request each take; says so where the system does not give one for each.
pub(crate) fn raise(clients: u32) {
    let clients = u64::from(clients);
    let wanted = clients * 2 + OTHERS;
    match rlimit::increase_nofile_limit(wanted) {
        Ok(given) if given < clients + OTHERS => tracing::warn!(
            descriptors = given,
            clients,
            "the system gives fewer descriptors than --max-connections takes: raise its limit (ulimit -n, LimitNOFILE), or \
             say fewer connections"
        ),
        Ok(_) => {}
        Err(error) => tracing::warn!(%error, "the limit of descriptors cannot be raised"),
    }
}
