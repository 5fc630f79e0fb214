//! File descriptors: each client takes one, and each connection to the service another one.
//!
//! Most systems start a program with 1,024 of them and let it request more. A gateway that requested no more would have
//! none left after a thousand idle clients, and could not connect to the service for the active ones.

/// Descriptors for everything else: connections to the service that are being closed, the log, the policy's files, the
/// runtime, the admin address.
const OTHERS: u64 = 256;

/// Requests enough descriptors for these numbers of clients and connections. Logs a warning if the system does not grant
/// them.
pub(crate) fn raise(clients: u32, connections: u32) {
    let wanted = u64::from(clients) + u64::from(connections) + OTHERS;
    match rlimit::increase_nofile_limit(wanted) {
        Ok(given) if given < wanted => tracing::warn!(
            descriptors = given,
            clients,
            connections,
            "the limit of open files is too low for --max-connections and --upstream-connections; raise it (ulimit -n, \
             LimitNOFILE) or lower the flags"
        ),
        Ok(_) => {}
        Err(error) => tracing::warn!(%error, "cannot raise the limit of open files"),
    }
}
