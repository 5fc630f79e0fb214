//! The choices of a policy, each with its word in the policy file.

/// An enum whose values have a word each in the policy file; the default holds where none is set.
macro_rules! words {
    ($($(#[$doc:meta])* $name:ident { $($(#[$of:meta])* $variant:ident = $word:literal,)* })*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
        pub enum $name {
            $($(#[$of])* $variant,)*
        }

        impl $name {
            /// The word for it in the policy file.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)*
                }
            }
        }

        impl KeywordValue for $name {
            const ALL: &'static [Self] = &[$(Self::$variant,)*];

            fn word(self) -> &'static str {
                self.as_str()
            }
        }
    )*};
}

/// A closed choice of the policy file.
#[cfg_attr(not(feature = "policy-file"), allow(dead_code, reason = "the policy file alone reads words"))]
pub(crate) trait KeywordValue: Copy + 'static {
    const ALL: &'static [Self];

    fn word(self) -> &'static str;
}

words! {
    /// What the layer does on a route (rule M1).
    #[non_exhaustive]
    Mode {
        /// Only request ids, credentials (G2), and responses to failures.
        Off = "off",
        /// As `Off`, and the log records what `Enforce` would have done. Bytes, status and timing do not change.
        Observe = "observe",
        /// Guards refuse requests, and failures get responses; inner errors pass.
        Own = "own",
        /// As `Own`, and inner errors whose body is empty, HTML or plain text are rewritten.
        Fill = "fill",
        /// Everything: guards refuse requests, failures get responses, and inner errors are rewritten.
        #[default]
        Enforce = "enforce",
    }

    /// Whether a client's request id is kept (rule I2).
    Trust {
        /// Every request gets a new id.
        #[default]
        Never = "never",
        /// A well-formed id is kept.
        Valid = "valid",
    }

    /// How to treat a code that only an inner process defines (rule E2).
    UnknownCodes {
        /// The code passes as it is.
        #[default]
        Keep = "keep",
        /// The code becomes the generic code of its status.
        ByStatus = "by_status",
    }

    /// What `cache-control: no-transform` on an inner error means (rule R9).
    NoTransform {
        /// `no-transform` binds proxies, not this layer: the error is rewritten.
        #[default]
        Rewrite = "rewrite",
        /// The error passes.
        Respect = "respect",
    }

    /// How to treat errors of GraphQL, tRPC, oRPC, JSON-RPC and OAuth (rule R10).
    Protocols {
        /// Errors of protocols keep their own shape; a 5xx loses the service's texts.
        #[default]
        Pass = "pass",
        /// Errors of protocols are rewritten like any other error.
        Rewrite = "rewrite",
    }

    /// What the body limit counts of a request whose content type claims a stream of RPC messages (rule P1).
    BodyLimitPer {
        /// Each message of an RPC: a POST to `/pkg.Service/Method`, for gRPC over HTTP/2. The whole body of anything
        /// else.
        #[default]
        Auto = "auto",
        /// Each message of a POST, whatever its path.
        Message = "message",
        /// The whole body.
        Body = "body",
    }

    /// How to end an event stream that is cut off between two events (rule F6).
    EventStreams {
        /// The stream is cut off, as any body is (rule F4).
        #[default]
        Break = "break",
        /// The stream ends with an event that has the error, in the route's dialect.
        AppendError = "append_error",
    }

    /// What the external processor does with an inner error whose length is not declared (rule R4).
    ExtProcBodies {
        /// The head of the error decides.
        #[default]
        Head = "head",
        /// Envoy buffers the body, within its own limit, and the processor reads it.
        Buffered = "buffered",
    }

    /// Whether the guards apply to a CORS preflight (rule G0).
    Preflight {
        /// A preflight passes the guards: browsers never send credentials with it.
        #[default]
        Pass = "pass",
        /// The guards apply to a preflight as to any request.
        Guard = "guard",
    }

    /// How to treat a path whose readings match routes with different guards (rule G0).
    Paths {
        /// The guards of every reading apply.
        #[default]
        Guard = "guard",
        /// Such a request is answered with 400 `bad_request`.
        Refuse = "refuse",
    }

    /// Whether guards match paths without regard to ASCII letter case (rule G0).
    LetterCase {
        /// Paths are compared without regard to letter case: `/ADMIN` is guarded like `/admin`, since some services
        /// treat them alike.
        #[default]
        Fold = "fold",
        /// Paths that differ in letter case are different paths: use it only if every service treats them so.
        Exact = "exact",
    }
}
