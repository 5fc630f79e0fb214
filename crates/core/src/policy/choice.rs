//! Settings with a few possible values, each of which has a word in the policy file.

use crate::table::words;

words! {
    /// The mode of a route, which decides what the layer does on this route (rule M1).
    #[non_exhaustive]
    pub Mode {
        /// The layer only sets request ids, checks credentials (G2), and responds to failures.
        Off = "off",
        /// Works like `Off`, but the log also shows what `Enforce` would have done. Bytes, status and timing do not
        /// change.
        Observe = "observe",
        /// Guards refuse requests, and failures get responses. Inner errors pass.
        Own = "own",
        /// Works like `Own`, but inner errors whose body is empty, HTML or plain text are rewritten.
        Fill = "fill",
        /// Guards refuse requests, failures get responses, and all inner errors are rewritten.
        #[default]
        Enforce = "enforce",
    }

    /// The treatment of a request id that the client sent (rule I2).
    pub Trust {
        /// Every request gets a new id.
        #[default]
        Never = "never",
        /// A well-formed id is kept.
        Valid = "valid",
    }

    /// The treatment of a code that only an inner process defines (rule E2).
    pub UnknownCodes {
        /// The code passes unchanged.
        #[default]
        Keep = "keep",
        /// The code becomes the generic code of its status.
        ByStatus = "by_status",
    }

    /// The effect of `cache-control: no-transform` on an inner error (rule R9).
    pub NoTransform {
        /// `no-transform` has no effect, because it is meant for proxies and not for this layer. The error is
        /// rewritten.
        #[default]
        Rewrite = "rewrite",
        /// The error passes unchanged.
        Respect = "respect",
    }

    /// The treatment of errors of GraphQL, tRPC, oRPC, JSON-RPC, OAuth and some products, such as AWS and Kubernetes (rule
    /// R10).
    pub Protocols {
        /// The errors keep their own shape, but on a 5xx they lose the service's texts.
        #[default]
        Pass = "pass",
        /// The errors are rewritten like any other error.
        Rewrite = "rewrite",
    }

    /// The unit to which the body limit applies, if the content type of a request claims a stream of RPC messages (rule
    /// P1).
    pub BodyLimitPer {
        /// The limit applies to each message if the request is a POST to `/pkg.Service/Method`, which for gRPC must
        /// come over HTTP/2. Otherwise the limit applies to the whole body.
        #[default]
        Auto = "auto",
        /// The limit applies to each message of a POST, on any path.
        Message = "message",
        /// The limit applies to the whole body.
        Body = "body",
    }

    /// The end of an event stream that is cut off between two events (rule F6).
    pub EventStreams {
        /// The stream is cut off like any other body (rule F4).
        #[default]
        Break = "break",
        /// The stream ends with an event that contains the error, in the dialect of the route.
        AppendError = "append_error",
    }

    /// The treatment of an inner error without a declared length in the external processor (rule R4).
    pub ExtProcBodies {
        /// The head of the error decides its code.
        #[default]
        Head = "head",
        /// Envoy buffers the body, within its own limit, and the external processor reads it.
        Buffered = "buffered",
    }

    /// The treatment of a CORS preflight by the guards (rule G0).
    pub Preflight {
        /// The guards do not apply to a preflight. A preflight passes, because browsers never send credentials with a
        /// preflight.
        #[default]
        Pass = "pass",
        /// The guards apply as to any other request.
        Guard = "guard",
    }

    /// The treatment of a path that services may read in several ways (rule G0).
    pub Paths {
        /// The guards of every reading apply.
        #[default]
        Guard = "guard",
        /// If the readings match routes with different guards, the request gets 400 `bad_request`.
        Refuse = "refuse",
        /// The request gets 400 `bad_request` unless the path is plain. A plain path contains only letters and digits
        /// of ASCII, `-`, `.`, `_`, `~` and `/`. A plain path has no empty segment other than the last, and no dot
        /// segment. Use this value for services that rewrite paths, because all services read a plain path in the same
        /// way.
        Plain = "plain",
    }

    /// The treatment of the ASCII letter case of paths by the guards (rule G0).
    pub LetterCase {
        /// The guards ignore letter case. `/ADMIN` is guarded like `/admin`, because some services treat the two paths
        /// alike.
        #[default]
        Fold = "fold",
        /// Paths that differ in letter case are different paths. Use this value only if every service treats such paths
        /// as different.
        Exact = "exact",
    }
}

impl Mode {
    /// Returns true if guards refuse requests.
    pub(crate) fn is_enforced(self) -> bool {
        !matches!(self, Self::Off | Self::Observe)
    }
}

impl BodyLimitPer {
    /// Returns true if the limit applies to less of a stream than with the other value.
    #[cfg(feature = "policy-file")]
    pub(super) fn counts_less_than(self, other: Self) -> bool {
        matches!((self, other), (Self::Auto | Self::Message, Self::Body) | (Self::Message, Self::Auto))
    }
}
