//! What the compiler says of a mistake, and where: at the attribute.

/// The expected texts are of the toolchain that CI has; `TRYBUILD=overwrite` writes them anew.
#[test]
fn a_mistake_is_told_at_the_attribute() {
    trybuild::TestCases::new().compile_fail("tests/ui/*.rs");
}
