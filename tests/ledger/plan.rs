//! The plan: each kind of request, the service's response, and the time when its client leaves.

/// A kind of request: how it is sent, and what its service does with it.
#[derive(Clone)]
pub(crate) struct Kind {
    pub(crate) name: &'static str,
    /// The guards that the request meets, which are the second segment of its path.
    pub(crate) place: &'static str,
    pub(crate) method: &'static str,
    pub(crate) headers: Vec<(&'static str, &'static str)>,
    pub(crate) http2: bool,
    pub(crate) upload: Upload,
    pub(crate) leaves: Leaves,
    pub(crate) answer: Answer,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Upload {
    Nothing,
    Length(usize),
    Chunked(usize),
    /// Half of a body of this length. Then the client leaves.
    Half(usize),
    /// Half of a body of this length. The service answers it, and the client leaves when it has the whole response.
    Unfinished(usize),
    /// A chunk with a length that is no number.
    BadChunk,
    /// The first number of bytes of a body of the second length. When the service has them, the rest of a body of the
    /// third length follows. The lengths differ, so the request is malformed (RFC 9113 §8.1.1).
    Contradicts(usize, usize, usize),
}

impl Upload {
    /// Returns how much of a body of this length is sent.
    pub(crate) fn part(self, length: usize) -> usize {
        match self {
            Self::Half(_) | Self::Unfinished(_) => length / 2,
            Self::Contradicts(first, ..) => first,
            Self::Nothing | Self::Length(_) | Self::Chunked(_) | Self::BadChunk => length,
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Leaves {
    Never,
    /// The client leaves when the service has the request, and has not responded.
    BeforeHead,
    /// The client leaves when the test lets its kind leave
    /// ([`Service::let_leave`](super::service::Service::let_leave)).
    WhenLet,
    /// The client leaves when the first bytes of the body have arrived.
    InBody,
    /// The client closes its side with its request, and then waits until the connection ends.
    AtOnce,
}

#[derive(Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, &'static str)>,
    pub(crate) body: Vec<u8>,
    pub(crate) chunked: bool,
    pub(crate) trailers: Vec<(&'static str, &'static str)>,
    pub(crate) end: AnswerEnd,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum AnswerEnd {
    Whole,
    /// The connection ends after half of the body.
    Cut,
    /// Half of the body arrives, and then nothing until the connection ends.
    Stalls,
    /// The connection ends without a response.
    Drops,
    /// No response arrives until the connection ends.
    Silent,
}

/// The modes. Each is the first segment of a path.
pub(crate) const MODES: [&str; 5] = ["off", "observe", "own", "fill", "enforce"];

/// The second segments of paths.
pub(crate) const PLACES: [&str; 5] = ["plain", "closed", "watched", "json", "stream"];

const KEY: (&str, &str) = ("authorization", "Bearer reading-key-1");
const REVOKED: (&str, &str) = ("authorization", "Bearer reading-key-2");
const NOBODYS: (&str, &str) = ("authorization", "Bearer reading-key-9");
const JSON: (&str, &str) = ("content-type", "application/json");
const TEXT: (&str, &str) = ("content-type", "text/plain");
const EVENTS: (&str, &str) = ("content-type", "text/event-stream");
const GRPC: (&str, &str) = ("content-type", "application/grpc");
const WEB: (&str, &str) = ("content-type", "application/grpc-web+proto");
pub(crate) const CONNECT: (&str, &str) = ("connect-protocol-version", "1");
/// One empty message.
const MESSAGE: &[u8] = &[0, 0, 0, 0, 0];

/// Returns a policy with each guard in each mode.
pub(crate) fn policy() -> String {
    let mut text = String::from(
        r#"version = 1
[auth.k]
scheme = "bearer"
keys = [
  { id = "live-key", sha256 = "f92021597c98a68bbbd21da2ba40e07c512b0f92a90a680cf314e03b673284d1" },
  { id = "revoked-key", sha256 = "a9815b9632347787e2301df1df051ec262aa3b404865a75e5b628af6c4f4d2ef", revoked = true },
]
"#,
    );
    for mode in MODES {
        for place in PLACES {
            let guards = match place {
                "closed" => "auth = [\"k\"]\n",
                "watched" => "auth = [\"k\"]\nauth_observe = true\n",
                "json" => "json = true\nbody_limit = 64\n",
                "stream" => "event_streams = \"append_error\"\n",
                _ => "",
            };
            text.push_str(&format!("[[route]]\nmatch = \"/{mode}/{place}/{{*rest}}\"\nmode = \"{mode}\"\n{guards}"));
        }
    }
    text
}

impl Kind {
    fn get(name: &'static str, answer: Answer) -> Self {
        Self {
            name,
            place: "plain",
            method: "GET",
            headers: Vec::new(),
            http2: false,
            upload: Upload::Nothing,
            leaves: Leaves::Never,
            answer,
        }
    }

    fn to(self, place: &'static str, headers: &[(&'static str, &'static str)]) -> Self {
        Self { place, headers: headers.to_vec(), ..self }
    }

    fn sends(self, upload: Upload) -> Self {
        Self { method: "POST", upload, ..self }
    }

    fn leaves(self, leaves: Leaves) -> Self {
        Self { leaves, ..self }
    }

    fn method(self, method: &'static str) -> Self {
        Self { method, ..self }
    }

    fn http2(self, name: &'static str) -> Self {
        Self { name, http2: true, ..self }
    }

    /// Makes a gRPC call.
    fn grpc(name: &'static str, answer: Answer) -> Self {
        let headers = vec![GRPC, ("te", "trailers")];
        Self { headers, http2: true, ..Self::get(name, answer).sends(Upload::Chunked(MESSAGE.len())) }
    }

    /// Returns the uploaded body: a message of an RPC, or JSON.
    pub(crate) fn body(&self, length: usize) -> Vec<u8> {
        if self.is_grpc() || self.is_grpc_web() {
            return MESSAGE.to_vec();
        }
        [b"\"".as_slice(), &vec![b'u'; length.saturating_sub(2)], b"\""].concat()
    }

    pub(crate) fn is_grpc(&self) -> bool {
        self.headers.contains(&GRPC)
    }

    pub(crate) fn is_grpc_web(&self) -> bool {
        self.headers.contains(&WEB)
    }

    pub(crate) fn is_connect(&self) -> bool {
        self.headers.contains(&CONNECT)
    }
}

impl Answer {
    fn new(status: u16, headers: &[(&'static str, &'static str)], body: impl Into<Vec<u8>>) -> Self {
        let body = body.into();
        Self { status, headers: headers.to_vec(), body, chunked: false, trailers: Vec::new(), end: AnswerEnd::Whole }
    }

    fn chunked(self) -> Self {
        Self { chunked: true, ..self }
    }

    fn ends(self, end: AnswerEnd) -> Self {
        Self { end, ..self }
    }

    fn trailers(self, trailers: &[(&'static str, &'static str)]) -> Self {
        Self { chunked: true, trailers: trailers.to_vec(), ..self }
    }
}

/// Returns all kinds. Each is sent in each mode.
pub(crate) fn kinds() -> Vec<Kind> {
    let ok = || Answer::new(200, &[JSON], r#"{"ok":true}"#);
    let long = || Answer::new(200, &[TEXT], vec![b'x'; 100_000]);
    let missing = || Answer::new(404, &[JSON], r#"{"message":"no such seat"}"#);
    let crash = || Answer::new(500, &[("content-type", "text/html")], "<h1>Oops</h1><p>at db.rs:12</p>");
    let events = || Answer::new(200, &[EVENTS], "data: one\n\ndata: two\n\n").chunked();
    let message = || Answer::new(200, &[GRPC], MESSAGE);
    let failing = |status: &'static str| {
        Answer::new(200, &[GRPC, ("grpc-status", status), ("grpc-message", "no user")], Vec::new())
    };
    let silent = || ok().ends(AnswerEnd::Silent);
    let get = Kind::get;
    vec![
        get("ok", ok()),
        get("ok-long", long()),
        get("ok-chunked", long().chunked()),
        get("ok-2", ok()).http2("ok-2"),
        get("ok-long-2", long().chunked()).http2("ok-long-2"),
        get("no-content", Answer::new(204, &[], Vec::new())),
        get("moved", Answer::new(302, &[("location", "/elsewhere")], Vec::new())),
        get("not-modified", Answer::new(304, &[], Vec::new())),
        get("missing", missing()),
        get("missing-chunked", missing().chunked()),
        get("missing-2", missing()).http2("missing-2"),
        get("missing-text", Answer::new(404, &[TEXT], "no such seat")),
        get("missing-empty", Answer::new(404, &[], Vec::new())),
        get("missing-head", missing()).method("HEAD"),
        get("busy", Answer::new(429, &[JSON, ("retry-after", "3")], r#"{"message":"slowly"}"#)),
        get(
            "conflict",
            Answer::new(
                409,
                &[("content-type", "application/problem+json")],
                r#"{"title":"Taken","status":409,"detail":"seat 7 is taken"}"#,
            ),
        ),
        get("crash", crash()),
        get("crash-2", crash()).http2("crash-2"),
        get("unavailable", Answer::new(503, &[TEXT], "down for maintenance")),
        get("odd-status", Answer::new(599, &[JSON], "{}")),
        get("cut", long().ends(AnswerEnd::Cut)),
        get("cut-chunked", long().chunked().ends(AnswerEnd::Cut)),
        get("cut-2", long().chunked().ends(AnswerEnd::Cut)).http2("cut-2"),
        get("crash-cut", crash().ends(AnswerEnd::Cut)),
        get("crash-cut-chunked", crash().chunked().ends(AnswerEnd::Cut)),
        get("dropped", ok().ends(AnswerEnd::Drops)).method("POST"),
        get("left-before-head", silent()).leaves(Leaves::BeforeHead),
        get("left-before-head-2", silent()).leaves(Leaves::BeforeHead).http2("left-before-head-2"),
        get("left-in-body", long().ends(AnswerEnd::Stalls)).leaves(Leaves::InBody),
        get("left-in-body-2", long().chunked().ends(AnswerEnd::Stalls)).leaves(Leaves::InBody).http2("left-in-body-2"),
        get("uploaded", ok()).sends(Upload::Length(50_000)),
        get("uploaded-chunked", ok()).sends(Upload::Chunked(50_000)),
        get("uploaded-2", ok()).sends(Upload::Length(50_000)).http2("uploaded-2"),
        get("uploaded-missing", missing()).sends(Upload::Length(50_000)),
        get("left-uploading", ok()).sends(Upload::Half(50_000)),
        get("left-uploading-2", ok()).sends(Upload::Half(50_000)).http2("left-uploading-2"),
        get("left-uploading-answered", long().ends(AnswerEnd::Stalls))
            .sends(Upload::Unfinished(50_000))
            .leaves(Leaves::InBody),
        get("answered-early", missing()).sends(Upload::Unfinished(50_000)),
        get("answered-early-2", missing()).sends(Upload::Unfinished(50_000)).http2("answered-early-2"),
        get("answered-early-ok", ok()).sends(Upload::Unfinished(50_000)),
        get("bad-chunk", ok()).sends(Upload::BadChunk),
        get("too-short-2", silent()).sends(Upload::Contradicts(20_000, 50_000, 20_000)).http2("too-short-2"),
        get("too-long-2", silent()).sends(Upload::Contradicts(20_000, 25_000, 30_000)).http2("too-long-2"),
        // The excess follows when the service has the whole declared body.
        get("too-long-late-2", silent()).sends(Upload::Contradicts(25_000, 25_000, 30_000)).http2("too-long-late-2"),
        get("let-in", ok()).to("closed", &[KEY]),
        get("let-in-missing", missing()).to("closed", &[KEY]),
        get("no-key", ok()).to("closed", &[]),
        get("no-key-2", ok()).to("closed", &[]).http2("no-key-2"),
        get("nobodys-key", ok()).to("closed", &[NOBODYS]),
        get("revoked-key", ok()).to("closed", &[REVOKED]),
        get("watched", ok()).to("watched", &[KEY]),
        get("watched-no-key", ok()).to("watched", &[]),
        get("watched-revoked", ok()).to("watched", &[REVOKED]),
        get("watched-missing", missing()).to("watched", &[]),
        get("json", ok()).to("json", &[JSON]).sends(Upload::Length(20)),
        get("json-text", ok()).to("json", &[TEXT]).sends(Upload::Length(20)),
        get("json-long", ok()).to("json", &[JSON]).sends(Upload::Length(500)),
        get("json-long-chunked", ok()).to("json", &[JSON]).sends(Upload::Chunked(500)),
        get("json-long-dropped", ok().ends(AnswerEnd::Drops)).to("json", &[JSON]).sends(Upload::Chunked(500)),
        get("json-long-missing", missing()).to("json", &[JSON]).sends(Upload::Length(500)),
        get("events", events()).to("stream", &[]),
        get("events-cut", events().ends(AnswerEnd::Cut)).to("stream", &[]),
        get("events-cut-plain", events().ends(AnswerEnd::Cut)),
        get("events-left", events().ends(AnswerEnd::Stalls)).to("stream", &[]).leaves(Leaves::InBody),
        Kind::grpc("grpc-ok", message().trailers(&[("grpc-status", "0")])),
        Kind::grpc("grpc-missing", failing("5")),
        Kind::grpc("grpc-internal", failing("13")),
        Kind::grpc("grpc-busy", failing("8")),
        Kind::grpc("grpc-odd", failing("42")),
        Kind::grpc("grpc-late-unavailable", message().trailers(&[("grpc-status", "14"), ("grpc-message", "gone")])),
        Kind::grpc("grpc-by-http", Answer::new(503, &[TEXT], "no healthy upstream")),
        Kind::grpc("grpc-cut", message().chunked().ends(AnswerEnd::Cut)),
        Kind::grpc("grpc-dropped", message().ends(AnswerEnd::Drops)),
        Kind::grpc("grpc-left", message().ends(AnswerEnd::Silent)).leaves(Leaves::BeforeHead),
        Kind { place: "closed", ..Kind::grpc("grpc-no-key", message().trailers(&[("grpc-status", "0")])) },
        get("web-missing", Answer::new(200, &[WEB, ("grpc-status", "5"), ("grpc-message", "no user")], Vec::new()))
            .to("plain", &[WEB])
            .sends(Upload::Length(MESSAGE.len())),
        get("web-no-key", ok()).to("closed", &[WEB]).sends(Upload::Length(MESSAGE.len())),
        get("connect_ok", ok()).to("plain", &[CONNECT, JSON]).sends(Upload::Length(20)),
        get("connect_missing", Answer::new(404, &[JSON], r#"{"code":"not_found","message":"no user"}"#))
            .to("plain", &[CONNECT, JSON])
            .sends(Upload::Length(20)),
        get("connect_no_key", ok()).to("closed", &[CONNECT, JSON]).sends(Upload::Length(20)),
    ]
}

/// Returns kinds for tests of their own. Most get no response, and their clients leave when the test lets them.
pub(crate) fn patient() -> Vec<Kind> {
    let silent = || Answer::new(200, &[JSON], "{}").ends(AnswerEnd::Silent);
    let kind = |name| Kind::get(name, silent()).leaves(Leaves::WhenLet);
    vec![
        kind("holds"),
        kind("holds-uploading").sends(Upload::Half(50_000)),
        kind("left-in-line"),
        kind("left-in-line-2").http2("left-in-line-2"),
        kind("left-at-once").leaves(Leaves::AtOnce),
        kind("malformed-at-once-2")
            .sends(Upload::Contradicts(0, 50_000, 20_000))
            .leaves(Leaves::Never)
            .http2("malformed-at-once-2"),
        Kind::get("waits", Answer::new(200, &[JSON], "{}")),
    ]
}

/// Returns a kind that waits for the gateway's own time limit. It is sent once in each mode.
pub(crate) fn too_slow() -> Vec<Kind> {
    let silent = Answer::new(200, &[JSON], "{}").ends(AnswerEnd::Silent);
    vec![Kind::get("too-slow", silent.clone()), Kind::grpc("grpc-too-slow", silent)]
}
