#[derive(Debug, thiserror::Error, tower_error_envelope::AsFault)]
enum Failure {
    #[error("{berths} berths left")]
    #[fault(CONFLICT, message = "Only {0} berths are left.")]
    Full { berths: u8 },
}

fn main() {}
