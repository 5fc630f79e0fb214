//! Texts of errors that people reported in public, with other secrets. Redaction must remove each secret, and keep
//! ordinary words.

mod exact;
mod parameters;

use std::borrow::Cow;

use proptest::prelude::*;

use super::text::tests::unfiltered;
use super::{Strictness, body, text};

/// Asserts that each text is replaced by the text next to it. The replaced texts and ordinary texts must then stay
/// unchanged.
fn assert_texts(replaced: &[(&str, &str)], ordinary: &[&str]) {
    let stay = replaced.iter().map(|(_, left)| left).chain(ordinary).map(|stays| (*stays, *stays));
    let wrong = replaced.iter().copied().chain(stay).filter_map(|(sent, expected)| {
        let left = text(sent, Strictness::Readable);
        (left != expected).then(|| format!("{sent}\n  {left}\n  {expected}"))
    });
    assert_eq!(wrong.collect::<Vec<_>>().join("\n"), "");
}

/// Texts that contain a secret, each with a part that a client still gets. Every part of a text that contains `s3cret`
/// is a secret.
const SECRETS: [(&str, &str); 47] = [
    // Huma, Outline, Penpot.
    (
        r#"{"errors":[{"message":"unexpected property","location":"body.azz","value":{"azz":"1","token":"s3cret"}}]}"#,
        "unexpected property",
    ),
    (r#"{"message":"{\"token\"=>\"s3cret\", \"name\"=>\"Name\"}"}"#, "Name"),
    ("Value: {:email nil, :password \"s3cret\"}", ":email nil"),
    // Apollo, node-fetch, axios.
    ("Network error: Bearer s3cretS3cret\n is not a legal HTTP header value.", "is not a legal HTTP header value."),
    (r#"{"message":"failed","config":{"headers":{"Authorization":"Bearer s3cret"}}}"#, "failed"),
    (
        r#"{"m":"failed","_header":"GET / HTTP/1.1\r\nAuthorization: Bearer s3cret\r\nHost: a.example\r\n"}"#,
        "a.example",
    ),
    (r#"{"rawHeaders":["Host","a.example","Cookie","s3cret"]}"#, "a.example"),
    // psycopg, Mongo, SQL Server, Azure.
    (r#"invalid dsn: missing "=" after "postgresql+asyncpg://myuser:s3cret@db.example:5432/x""#, "db.example:5432/x"),
    ("bad auth: mongodb+srv://ada:s3cret/x#y@cluster0.example.net/test", "cluster0.example.net/test"),
    ("Login failed: Server=tcp:db;Database=x;User ID=ada;Password=s3cret;Encrypt=True", "Encrypt=True"),
    ("DefaultEndpointsProtocol=https;AccountName=a;AccountKey=s3cretS3cret==;EndpointSuffix=x", "EndpointSuffix=x"),
    ("E11000 duplicate key error dup key: { email: \"s3cret@mail.example\" }", "E11000 duplicate key error"),
    ("Duplicate entry 's3cret+test@mail.example' for key 'normalizedEmail'", "for key 'normalizedEmail'"),
    ("Key (email)=(s3cret@mail.example) already exists.", "already exists."),
    (
        "insert into users (password) values ($2y$10$s3cretE8rsLXPEhSjVtVnY9yRJmIOElMxUuQqsTjVZeDn1d8Dm) failed",
        "failed",
    ),
    // OpenAI, Stripe, AWS, GitHub.
    (
        "Incorrect API key provided: s3cret123. You can find your API key at https://x.example/keys.",
        "You can find your API key at",
    ),
    ("Invalid API Key provided: rk_live_s3cret12345678", "Invalid API Key provided:"),
    ("Authorization: AWS 1ATYZYK25V9A:s3cretW/7qxD8z2e5847fzTOu88w=", "Authorization:"),
    ("fatal: Authentication failed for 'https://git:s3cret@github.com/a/b/'", "fatal: Authentication failed for"),
    (
        "Command failed: git clone https://x-access-token:ghs_s3cretS3cret@github.com/a/b.git",
        "Command failed: git clone",
    ),
    ("git -c http.https://github.com/.extraheader=Authorization: Basic s3cretOnVzZXI= clone", "git -c"),
    ("Invalid header: Authorization:eyJhbGciOiJIUzI1NiJ9.s3cret.x", "Invalid header: Authorization:"),
    ("Incomplete pair: Authorization=Bearer s3cret47", "Incomplete pair:"),
    ("401 Client Error: Unauthorized for url: https://a.example/v1?api_key=s3cret&page=2", "page=2"),
    // pydantic, Mongoose.
    (
        r#"{"detail":[{"type":"missing","loc":["body","email"],"msg":"Field required","input":{"password":"s3cret"}}]}"#,
        "Field required",
    ),
    ("Path `password` (`s3cret`) is shorter than the minimum allowed length (8).", "is shorter than"),
    // Lists, tuples, forms, encodings.
    ("headers=[('Host', 'a.example'), ('Authorization', 's3cret')]", "a.example"),
    ("headers: [(b'authorization', b's3cret'), (b'host', b'a.example')]", "a.example"),
    ("{k: 'Cookie', v: 's3cret'}", "Cookie"),
    (
        "--b\r\nContent-Disposition: form-data; name=\"password\"\r\n\r\ns3cret\r\n--b\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n--b--",
        "name=\"a\"",
    ),
    ("bad query %7B%22password%22%3A%22s3cret%22%2C%22a%22%3A1%7D", "a%22%3A1%7D"),
    ("Das Passwort: s3cret-4711", "Das Passwort:"),
    (r#"{"m":"x","contraseña":"s3cret","密码":"s3cret","пароль":"s3cret","mot_de_passe":"s3cret"}"#, "x"),
    (r#"{"m":"PHPSESSID=s3cret; connect.sid=s3cret"}"#, "m"),
    // Go's driver of MySQL, Oracle, a URL in a query.
    ("dial root:s3cret@tcp(db:3306)/x: i/o timeout", "@tcp(db:3306)/x: i/o timeout"),
    ("cannot open ada:s3cret/4711@unix(/tmp/mysql.sock)/x", "@unix(/tmp/mysql.sock)/x"),
    ("cannot open ada:s3cret@/orders", "@/orders"),
    ("ORA-12154: scott/s3cret@//db.example:1521/x", "@//db.example:1521/x"),
    ("cannot open jdbc:oracle:thin:scott/s3cret@db.example:1521:x", "jdbc:oracle:thin:[redacted]@db.example"),
    ("GET /proxy?to=https%3A%2F%2Fada%3As3cret%40host.example%2Fa failed", "%40host.example%2Fa failed"),
    ("to=https%253A%252F%252Fada%253As3cret%2540host", "%2540host"),
    // These texts contain characters without a width, or characters that change the direction of the text.
    ("login failed, pass\u{200b}word=s3cret", "login failed"),
    ("login failed, \u{202e}to\u{2060}ken\u{202c}: s3cret-4711", "login failed"),
    // These are events whose data has several lines.
    (
        "event: error\ndata: {\"password\":\ndata: \"s3cret\"}\n\n",
        "event: error\ndata: {\"password\":\"[redacted]\"}\n\n",
    ),
    ("data: no such user\ndata: password=\ndata: s3cret\n\n", "data: no such user\ndata: password=\ndata: [redacted]"),
    ("data: {\"a\":1}\ndata: {\"token\":\"s3cret\"}\n\n", "data: {\"a\":1}\ndata: {\"token\":\"[redacted]\"}\n\n"),
    ("data: a\n\ndata: {\"token\":\r\ndata: \"s3cret\"}", "data: a\n\ndata: {\"token\":\"[redacted]\"}\r\n"),
];

const ORDINARY: [&str; 57] = [
    "Access denied for user 'root'@'localhost' (using password: YES)",
    "SASL: SCRAM-SERVER-FIRST-MESSAGE: client password must be a string",
    "password authentication failed for user \"postgres\"",
    "Invalid JWT: key or signature is invalid",
    "jwt malformed",
    "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method.",
    "Given token not valid for any token type",
    "Signature has expired.",
    "Bearer error=\"invalid_token\", error_description=\"Bearer token is malformed\"",
    "InvalidPasswordError: Invalid password. Password must be 8 characters long and must contain at least one letter, one special character and one number.",
    "Invalid character in header content [\"Authorization\"]",
    "Invalid return character or leading space in header: Authorization",
    "Settings must be of the form \"name=value\".",
    "You can find your API key at https://platform.example.com/account/api-keys.",
    "Invalid API key provided",
    "Unexpected token < in JSON at position 0",
    "Unexpected token 'h', \"hello\" is not valid JSON",
    "This model's maximum context length is 8192 tokens. However, your messages resulted in 9500 tokens.",
    "max_tokens: 4096 is too large, the limit is 2048",
    "CSRF token missing or incorrect.",
    "CSRF Failed: Origin checking failed - https://a.example does not match any trusted origins.",
    "AADSTS50126: Error validating credentials due to invalid username or password.",
    "Firebase ID token has expired. Get a fresh ID token from your client app and try again (auth/id-token-expired).",
    "Must specify two-factor authentication OTP code.",
    "email must be an email",
    "password must be longer than or equal to 8 characters",
    "password is too short",
    "The password confirmation does not match.",
    "A cookie named 'session' is missing",
    "\"password\" length must be at least 8 characters long",
    "Missing required parameter: client_secret",
    "These credentials do not match our records.",
    "Invalid credentials: user not found",
    "Invalid token specified: Cannot read properties of undefined (reading 'replace')",
    "Your API key is tied to another project.",
    "The API key is limited to 10 requests per second",
    "Your basic subscription has ended",
    "token expired at 2026-01-01T00:00:00Z",
    "Password reset token: expired or already used",
    "password: This value is too short. It should have 8 characters or more.",
    "no matching version found for lodash@4.17.99",
    "Field 'username' is required for password login",
    "Key (slug)=(my-post) already exists.",
    "order 4711-0815 was paid with card 17",
    "Das Passwort ist zu kurz.",
    "scope 'tokens:write' is required",
    "Passwords don't match",
    "String should have at least 8 characters",
    "Too small: expected string to have >=8 characters",
    "Path `password` is required.",
    "dial tcp 10.0.0.7:3306: connect: connection refused",
    "lookup db on 10.0.0.2:53: no such host",
    "Cannot find package '@scope/name' imported from /app/src/index.js",
    "see https://docs.example.com/a:b/c@v2/index for details",
    "redirect_uri https%3A%2F%2Fapp.example%2Fcallback is not registered",
    "\u{200f}הסיסמה קצרה מדי\u{200f}",
    "نمی\u{200c}توان سفارش را پیدا کرد",
];

#[test]
fn r17_no_secret_is_left_of_what_services_sent() {
    let wrong = SECRETS.iter().filter_map(|(sent, stays)| {
        let left = String::from_utf8(body(sent.as_bytes()).unwrap_or_default()).expect("UTF-8");
        let strict = text(sent, Strictness::Strict);
        let is_right = !left.contains("s3cret") && left.contains("[redacted]") && left.contains(stays);
        (!is_right || strict.contains("s3cret")).then(|| format!("{sent}\n  {left}\n  {strict}"))
    });
    assert_eq!(wrong.collect::<Vec<_>>().join("\n"), "");
}

#[test]
fn r17_ordinary_words_stay() {
    for sent in ORDINARY {
        assert_eq!(text(sent, Strictness::Readable), Cow::Borrowed(sent));
        let json = serde_json::json!({ "message": sent, "errors": { "a": [sent] } }).to_string();
        let left = body(json.as_bytes()).map(|left| String::from_utf8(left).expect("UTF-8"));
        assert_eq!(left, None, "{sent}");
    }
}

#[test]
fn other_fields_of_an_event_stay_where_they_are() {
    let sent = b"data: {\"password\":\r\nid: 7\r\ndata: \"hunter2\"}\r\n\r\n";
    let left = body(sent).map(|left| String::from_utf8(left).expect("UTF-8"));
    assert_eq!(left.as_deref(), Some("data: {\"password\":\"[redacted]\"}\r\nid: 7\r\n\r\n"));
}

#[test]
fn events_without_a_secret_stay_byte_for_byte() {
    for sent in [
        "event: error\r\ndata: {\"a\":\r\ndata:1}\r\n\r\n",
        ": ping\n\ndata\ndata: Not found\ndata:\n\ndata: bye",
        "data: a\rdata: b\r\rid: 1\r\r",
    ] {
        assert_eq!(body(sent.as_bytes()), None, "{sent:?}");
    }
}

proptest! {
    #[test]
    fn what_the_first_search_finds_nothing_in_has_nothing(text in "[a-z .,:=\"'@&?%()-]{0,60}|(pass|token|eyJ|sk-|--|key|[ =:\"(]|[0-9]{4}){0,12}|\\PC{0,30}") {
        for strictness in [Strictness::Strict, Strictness::Readable] {
            prop_assert_eq!(super::text(&text, strictness), unfiltered(&text, strictness), "{}", text);
        }
    }

    #[test]
    fn any_body_stays_json(text in "\\PC{0,40}", secret in "[a-z0-9]{4,12}") {
        let json = serde_json::json!({ "password": secret.clone(), "m": text, "l": ["token", secret] }).to_string();
        let left = body(json.as_bytes()).expect("a secret");
        prop_assert!(serde_json::from_slice::<serde_json::Value>(&left).is_ok());
    }
}

/// The pieces that test bodies repeat.
const UNITS: [&str; 94] = [
    "é @ ",
    "é password ",
    "é ",
    "ora-12154 a/",
    "[SQL: password",
    "[SQL: password][parameters: ",
    "duplicate entry ",
    "token duplicate key value is ",
    "password=[",
    "=[redacted]&a",
    "[\"-u\",\"a",
    "password for a ",
    "[redacted] got ",
    "value 'a' at '",
    "password=\"\"\"",
    "\"",
    "'",
    "`",
    "“",
    "‘",
    "«",
    "[",
    "{",
    "(",
    "<",
    "{\"a\":",
    "[{\"a\":",
    "[],",
    "{},",
    "[[1]],",
    "1,",
    "1 ",
    "4711-",
    "1",
    "password",
    "password ",
    "password: ",
    "password=",
    "token.",
    "key (",
    "key (token",
    "a=",
    "a:",
    "=:",
    ":=",
    "\\",
    "\\\"",
    "\\u0070",
    "\\\\n",
    "\n",
    "\r\n\r\n",
    "data: a\n",
    "data: {\"token\":\n",
    "data:\n\n",
    "\rdata:",
    "%7B",
    "%22token%22%3A",
    "%3A%2F%2Fa",
    "%40",
    "Bearer ",
    "basic a ",
    "@",
    "a@",
    "a@b.cc.1",
    "a@/",
    "://",
    "://a:b",
    "<tag ",
    "<password",
    "<a><token>",
    "--b\r\n",
    "form-data; name=\"password\"\r\n",
    "-----BEGIN KEY-----",
    "mysql ",
    "curl -u 'a",
    "unexpected token ",
    "password “ unexpected token ",
    "“ \"x\" password ",
    "‘ \"x\" password ",
    "« 'x' password ",
    "v='a",
    "a\u{200b}",
    "eyJ.",
    "%74oken%3D",
    "token%20x1 ",
    "a%20b ",
    "%2525",
    "%E5",
    "\\x41",
    "ｔ",
    "：a",
    "： ",
    "?code=a&",
    "code=a&b=",
];

/// Texts with a long beginning, and with another continuation.
const BEGINNINGS: [(&str, &str, &str); 8] = [
    ("{\"password", "a", "\":[1,1]}"),
    ("{\"\\u0061", "a", "\":[[{},[]]]}"),
    ("{\"error", "a", "\":[{},{}]}"),
    ("password=", "%", ""),
    ("“", "\"x\" password ", ""),
    ("\"", "'x' password ", ""),
    ("key (", "(token)=(", ""),
    ("curl -u \"", "-u a:b ", ""),
];

/// Compares the times of bodies that double: `cargo test -p error-envelope-core --lib -- --ignored --nocapture
/// r17_time_grows`.
#[test]
#[ignore = "measures"]
fn r17_time_grows_with_the_body() {
    super::prepare();
    let mut slow = Vec::new();
    for (name, each) in [("{\"password", "1"), ("{\"\\u0061", "{}"), ("{\"token", "\"a\"")] {
        slow.extend(steep(&format!("{name}, nested"), &|size| {
            let depth = size / 6;
            format!("{name}{}\":{}1{}}}", "a".repeat(size / 2), "[".repeat(depth), "]".repeat(depth))
        }));
        slow.extend(steep(name, &|size| {
            let list = vec![each; size / 2 / (each.len() + 1)].join(",");
            format!("{name}{}\":[{list}]}}", "a".repeat(size / 2))
        }));
    }
    for unit in UNITS {
        let repeated = |size: usize| unit.repeat(size / unit.len());
        slow.extend(steep(unit, &repeated));
        slow.extend(steep(&format!("JSON of {unit}"), &|size| serde_json::json!({ "m": repeated(size) }).to_string()));
        slow.extend(steep(&format!("list of {unit}"), &|size| {
            format!("{{\"token\":[\"{}\"]}}", repeated(size).replace(['"', '\\'], "\",\""))
        }));
    }
    for (before, unit, behind) in BEGINNINGS {
        slow.extend(steep(before, &|size| format!("{before}{}{behind}", unit.repeat(size / unit.len()))));
    }
    assert_eq!(slow.join("\n"), "");
}

/// Returns the times if a time is more than three times the time for half of the body.
#[allow(clippy::disallowed_methods, reason = "it measures real time")]
fn steep(name: &str, of_size: &dyn Fn(usize) -> String) -> Option<String> {
    const FLOOR: u128 = 50;

    let is_steep = |times: &[u128; 3]| times.windows(2).any(|two| two[1] > 3 * two[0].max(FLOOR));
    let time = |size: usize| {
        let body = of_size(size);
        let began = std::time::Instant::now();
        let _ = super::body(body.as_bytes());
        began.elapsed().as_millis()
    };
    let mut times = [u128::MAX; 3];
    // The machine may have other work at the same time.
    for _ in 0..3 {
        times = [0, 1, 2].map(|at| times[at].min(time((16 << at) * 1024)));
        if !is_steep(&times) {
            break;
        }
    }
    let is_long = times[2] > 20 * FLOOR;
    if is_long {
        println!("{name:?} {times:?} ms");
    }
    is_steep(&times).then(|| format!("{name:?} {times:?} ms"))
}
