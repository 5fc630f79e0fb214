#[derive(Debug, thiserror::Error, tower_error_envelope::AsFault)]
enum Failure {
    #[error("taken")]
    #[fault(CONFLICT, message = "{set} is taken.")]
    Taken { seat: u8 },
}

fn main() {}
