//! Uses `anyhow::Error`, which implements neither `std::error::Error` nor `AsFault`.
mod anyhow {
    #[derive(Debug, thiserror::Error)]
    #[error("any")]
    pub struct Error;
}

#[derive(Debug, thiserror::Error, tower_error_envelope::AsFault)]
enum Failure {
    #[error(transparent)]
    #[fault(transparent)]
    Other(#[from] anyhow::Error),
}

fn main() {}
