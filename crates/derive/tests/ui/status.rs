#[derive(Debug, thiserror::Error, tower_error_envelope::AsFault)]
enum Other {
    #[error("taken")]
    #[fault(CONFLICT, status = 200)]
    Status,
}

fn main() {}
