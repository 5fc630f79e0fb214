//! The kinds of mistakes in a policy, by which tests and programs recognise an error whose wording changes.

macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident = $name:literal,)*) => {
        /// The kind of mistake in a policy.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub(crate) enum Kind {
            $($(#[$doc])* $kind,)*
        }

        impl Kind {
            pub(crate) const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$kind => $name,)*
                }
            }
        }
    };
}

kinds! {
    /// The value has the right type, but no meaning here.
    #[default]
    InvalidValue = "invalid-value",
    /// A number, a size or a time is too small or too large.
    OutOfRange = "out-of-range",
    WrongType = "wrong-type",
    UnknownKey = "unknown-key",
    MissingKey = "missing-key",
    /// The value is none of a few words.
    UnknownWord = "unknown-word",
    /// No table defines the name.
    UnknownName = "unknown-name",
    DefinedTwice = "defined-twice",
    /// Two settings exclude each other, or a setting has no effect where it is.
    Conflict = "conflict",
    /// A file below sets a locked key.
    Locked = "locked",
    Syntax = "syntax",
    /// A file that is missing, or that is no policy file.
    File = "file",
    /// A version of the format that is not supported.
    Version = "version",
    /// What the policy needs is not part of the program or of its environment.
    Unavailable = "unavailable",
}
