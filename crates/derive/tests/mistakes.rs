//! Tests the compiler's error for each mistake, and that the error points to the attribute.

/// The expected texts are those of CI's toolchain. `TRYBUILD=overwrite` writes them again.
#[test]
fn a_mistake_is_told_at_the_attribute() {
    trybuild::TestCases::new().compile_fail("tests/ui/*.rs");
}
