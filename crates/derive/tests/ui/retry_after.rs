#[derive(Debug, thiserror::Error, tower_error_envelope::AsFault)]
enum Failure {
    #[error("the lock is closed")]
    #[fault(WORKER_AT_CAPACITY, retry_after = secs)]
    Closed { secs: u64 },
}

fn main() {}
