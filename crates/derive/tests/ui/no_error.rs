#[derive(Debug, tower_error_envelope::AsFault)]
#[fault(CONFLICT)]
struct Taken;

fn main() {}
