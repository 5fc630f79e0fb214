#[derive(Debug, thiserror::Error, tower_error_envelope::AsFault)]
enum Failure {
    #[error("gone")]
    #[fault(status = 404)]
    Gone,
    #[error("bad")]
    #[fault(message = "Bad.", status = 422)]
    Bad,
}

fn main() {}
