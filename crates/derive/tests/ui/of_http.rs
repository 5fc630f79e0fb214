use tower_error_envelope::{AsFault, ErrorCode};

#[derive(Debug, thiserror::Error, AsFault)]
enum Failure {
    #[error("who are you?")]
    #[fault(UNAUTHORIZED, message = "Log in.")]
    Stranger,
    #[error("bad")]
    #[fault(UNPROCESSABLE_ENTITY)]
    Bad,
    #[error("a teapot")]
    #[fault(IM_A_TEAPOT)]
    Teapot,
    #[error("behind us")]
    #[fault(BAD_GATEWAY)]
    Behind,
}

const TOO_MANY_REQUESTS: ErrorCode = ErrorCode::custom("too_many_requests", 429);

#[derive(Debug, thiserror::Error, AsFault)]
#[error("slower")]
#[fault(self::TOO_MANY_REQUESTS)]
struct Slower;

fn main() {}
