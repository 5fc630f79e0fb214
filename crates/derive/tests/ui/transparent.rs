#[derive(Debug, thiserror::Error, tower_error_envelope::AsFault)]
enum Failure {
    #[error("two")]
    #[fault(transparent)]
    Two(std::io::Error, u8),
    #[error("more")]
    #[fault(transparent, message = "More.")]
    More(std::io::Error),
}

#[derive(Debug, thiserror::Error, tower_error_envelope::AsFault)]
enum NoFault {
    #[error("inside")]
    #[fault(transparent)]
    Inner(std::io::Error),
}

fn main() {}
