use tower_error_envelope::ErrorCode;

#[derive(Debug, thiserror::Error, tower_error_envelope::AsFault)]
enum Placed {
    #[error("two")]
    #[fault(with = code_of)]
    Two(std::io::Error, u8),
}

#[derive(Debug, thiserror::Error, tower_error_envelope::AsFault)]
enum Twice {
    #[error("both")]
    #[fault(CONFLICT, with = code_of)]
    Both(std::io::Error),
}

#[derive(Debug, thiserror::Error, tower_error_envelope::AsFault)]
enum Typed {
    #[error("another error")]
    #[fault(with = code_of)]
    Other(std::fmt::Error),
    #[error("another result")]
    #[fault(with = |error: &std::io::Error| error.raw_os_error())]
    Text(std::io::Error),
}

fn code_of(_: &std::io::Error) -> ErrorCode {
    ErrorCode::GONE
}

fn main() {}
