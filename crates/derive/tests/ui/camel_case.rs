#[derive(Debug, thiserror::Error, tower_error_envelope::AsFault)]
enum Failure {
    #[error("gone")]
    #[fault(NotFound)]
    Gone,
}

fn main() {}
