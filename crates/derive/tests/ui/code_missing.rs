#[derive(Debug, thiserror::Error, tower_error_envelope::AsFault)]
enum Failure {
    #[error("sold out")]
    #[fault(message = "Sold out.")]
    SoldOut,
}

#[derive(Debug, thiserror::Error, tower_error_envelope::AsFault)]
#[error("only {left} left")]
#[fault(details(left), retry_after = 30)]
struct Left {
    left: u32,
}

fn main() {}
