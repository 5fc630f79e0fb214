#[derive(Debug, thiserror::Error, tower_error_envelope::AsFault)]
enum Failure {
    #[error("taken")]
    #[fault(CONFLICT, details(set))]
    Taken { seat: u8 },
}

fn main() {}
