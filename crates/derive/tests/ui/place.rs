#[derive(Debug, thiserror::Error, tower_error_envelope::AsFault)]
#[fault(CONFLICT)]
enum Failure {
    #[error("taken")]
    Taken,
}

#[derive(Debug, thiserror::Error, tower_error_envelope::AsFault)]
enum Field {
    #[error("taken")]
    Taken(#[fault(transparent)] std::io::Error),
}

#[derive(Debug, thiserror::Error, tower_error_envelope::AsFault)]
enum Twice {
    #[error("taken")]
    #[fault(CONFLICT, GONE)]
    Taken,
}

fn main() {}
