#[derive(Debug, thiserror::Error, tower_error_envelope::AsFault)]
enum Failure {
    #[error("taken")]
    #[fault(custom("Seat taken", 409))]
    Name,
}

fn main() {}
