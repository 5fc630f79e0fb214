//! A mistake causes one compile error, wherever the type is used.

use tower_error_envelope::AsFault;

#[derive(Debug, thiserror::Error, AsFault)]
enum Failure {
    #[error("taken")]
    #[fault(conflct)]
    Taken,
}

fn take() -> Result<(), Failure> {
    Err(Failure::Taken)
}

fn main() {
    if let Err(failure) = take() {
        let _ = (failure.code(), Failure::CODES);
        let _ = failure.into_fault();
    }
}
