//! Functions of features that are off. A call to one does not compile, and the compiler's error names the feature.

/// Declares a bound that no type fulfils, and functions whose argument must fulfil it, so that no call compiles.
macro_rules! absent {
    ($feature:literal $bound:ident $wrong:literal $right:literal
        $($of:ty { $($function:ident($($argument:tt)*) -> $result:ty;)* })*) => {
        #[diagnostic::on_unimplemented(message = $wrong, label = $right)]
        pub trait $bound {}

        $(
            #[cfg(not(feature = $feature))]
            #[doc(hidden)]
            #[allow(missing_docs, reason = "the function that the feature adds is documented")]
            impl $of {
                $(pub fn $function($($argument)* _: impl $bound) -> $result {
                    unreachable!($wrong)
                })*
            }
        )*
    };
}

absent! {
    "policy-file" NeedsPolicyFile
    "this needs the feature `policy-file` of `tower-error-envelope`"
    "turn it on: `cargo add tower-error-envelope --features policy-file`"
    crate::policy::Policy {
        from_file() -> Result<Self, crate::policy::PolicyError>;
        from_toml(_: &str,) -> Result<Self, crate::policy::PolicyError>;
    }
}

absent! {
    "redact" NeedsRedact
    "this needs the feature `redact` of `tower-error-envelope`"
    "turn it on: `cargo add tower-error-envelope --features redact`"
    crate::policy::RouteRule { redact(self,) -> Self; }
    crate::policy::PolicyBuilder { redact(self,) -> Self; }
}

absent! {
    "pattern" NeedsPattern
    "this needs the feature `pattern` of `tower-error-envelope`"
    "turn it on: `cargo add tower-error-envelope --features pattern`"
    crate::guard::header::RequiredHeader { pattern(self,) -> Self; }
    crate::policy::rule::MapRule { message_pattern(self,) -> Self; }
}

absent! {
    "auth" NeedsKeys
    "this needs the feature `auth` of `tower-error-envelope`"
    "turn it on: `cargo add tower-error-envelope --features auth`"
    crate::guard::auth::AuthScheme { header() -> Self; }
}

absent! {
    "jwt" NeedsJwt
    "this needs the feature `jwt` of `tower-error-envelope`"
    "turn it on: `cargo add tower-error-envelope --features jwt`"
    crate::guard::auth::AuthScheme { jwt() -> Self; }
}
