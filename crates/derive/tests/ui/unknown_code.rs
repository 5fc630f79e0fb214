#[derive(Debug, thiserror::Error, tower_error_envelope::AsFault)]
enum Failure {
    #[error("taken")]
    #[fault(CONFLICTS)]
    Taken,
}

fn main() {}
