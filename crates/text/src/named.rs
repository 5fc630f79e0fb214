//! Declares enumerations whose values have words.

/// Declares an enumeration. Each value has a word, such as its name in the policy file.
#[macro_export]
macro_rules! named {
    ($as_str:literal $(#[$doc:meta])* $vis:vis enum $name:ident { $($(#[$of:meta])* $variant:ident = $word:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        $vis enum $name {
            $($(#[$of])* $variant,)*
        }

        #[allow(dead_code, reason = "not every enumeration needs both")]
        impl $name {
            #[doc(hidden)]
            $vis const VALUES: &'static [Self] = &[$(Self::$variant,)*];

            #[doc = $as_str]
            #[must_use]
            $vis const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)*
                }
            }
        }
    };
}
