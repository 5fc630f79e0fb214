//! Settings with a few possible values, each of which has a word in the policy file.

use crate::table::words;

words! {
    /// What the layer does on a route (rule M1).
    #[non_exhaustive]
    pub Mode {
        /// The layer only sets request ids, checks credentials (G2), and responds to failures.
        Off = "off",
        /// Like `Off`, but the log also has what `Enforce` would have done. Bytes, status and timing do not change.
        Observe = "observe",
        /// Guards refuse requests, and failures get responses. Inner errors pass.
        Own = "own",
        /// Like `Own`, but inner errors whose body is empty, HTML or plain text are rewritten.
        Fill = "fill",
        /// Everything: guards refuse requests, failures get responses, and inner errors are rewritten.
        #[default]
        Enforce = "enforce",
    }

    /// Whether a request id that the client sent is kept (rule I2).
    pub Trust {
        /// Every request gets a new id.
        #[default]
        Never = "never",
        /// A well-formed id is kept.
        Valid = "valid",
    }

    /// What to do with a code that only an inner process defines (rule E2).
    pub UnknownCodes {
        /// The code passes unchanged.
        #[default]
        Keep = "keep",
        /// The code becomes the generic code of its status.
        ByStatus = "by_status",
    }

    /// What `cache-control: no-transform` on an inner error means (rule R9).
    pub NoTransform {
        /// Nothing: `no-transform` is meant for proxies, not for this layer, so the error is rewritten.
        #[default]
        Rewrite = "rewrite",
        /// The error passes.
        Respect = "respect",
    }

    /// What to do with errors of GraphQL, tRPC, oRPC, JSON-RPC and OAuth (rule R10).
    pub Protocols {
        /// They keep their own shape, but on a 5xx they lose the service's texts.
        #[default]
        Pass = "pass",
        /// They are rewritten like any other error.
        Rewrite = "rewrite",
    }

    /// What the body limit counts, if the content type of a request claims a stream of RPC messages (rule P1).
    pub BodyLimitPer {
        /// Each message, if the request is a POST to `/pkg.Service/Method`, which for gRPC must come over HTTP/2.
        /// Otherwise the whole body.
        #[default]
        Auto = "auto",
        /// Each message of a POST, whatever its path.
        Message = "message",
        /// The whole body.
        Body = "body",
    }

    /// How to end an event stream that is cut off between two events (rule F6).
    pub EventStreams {
        /// It is cut off, as any other body is (rule F4).
        #[default]
        Break = "break",
        /// It ends with an event that has the error, in the dialect of the route.
        AppendError = "append_error",
    }

    /// What the external processor does with an inner error whose length is not declared (rule R4).
    pub ExtProcBodies {
        /// It decides by the head of the error.
        #[default]
        Head = "head",
        /// It lets Envoy buffer the body, within Envoy's own limit, and reads it.
        Buffered = "buffered",
    }

    /// Whether the guards apply to a CORS preflight (rule G0).
    pub Preflight {
        /// They do not: a preflight passes, because browsers never send credentials with it.
        #[default]
        Pass = "pass",
        /// They do, as for any other request.
        Guard = "guard",
    }

    /// What to do with a path that services may read in several ways (rule G0).
    pub Paths {
        /// Apply the guards of every reading.
        #[default]
        Guard = "guard",
        /// If the readings match routes with different guards, answer with 400 `bad_request`.
        Refuse = "refuse",
        /// Answer every path with 400 `bad_request` that has anything but letters and digits of ASCII, `-`, `.`, `_`,
        /// `~` and `/`, an empty segment other than the last, or a dot segment. This is the advice for services that
        /// rewrite paths: it leaves no way to read the path's characters differently.
        Plain = "plain",
    }

    /// Whether guards ignore the ASCII letter case of paths (rule G0).
    pub LetterCase {
        /// They ignore it: `/ADMIN` is guarded like `/admin`, because some services treat them alike.
        #[default]
        Fold = "fold",
        /// Paths that differ in letter case are different paths. Use it only if every service treats them so.
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
    /// Returns true if the limit counts less of a stream than with the other value.
    #[cfg(feature = "policy-file")]
    pub(super) fn counts_less_than(self, other: Self) -> bool {
        matches!((self, other), (Self::Auto | Self::Message, Self::Body) | (Self::Message, Self::Auto))
    }
}
