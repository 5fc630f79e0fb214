//! Converts an error without a fault with `?`.
use tower_error_envelope::Fault;

fn read() -> Result<String, Fault> {
    Ok(std::fs::read_to_string("name")?)
}

fn main() {
    let _ = read();
}
