#[derive(Debug, thiserror::Error, tower_error_envelope::AsFault)]
enum Failure {
    #[error("taken")]
    #[fault(CONFLICT, header("X-Seat", "7"))]
    Taken,
}

fn main() {}
