#[derive(Debug, thiserror::Error, tower_error_envelope::AsFault)]
enum Failure {
    #[error("taken")]
    #[fault(CONFLICT, mesage = "Taken.")]
    Taken,
}

fn main() {}
