//! Tests that the file and the builders make the same policy.

use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime};

use crate::code::{ErrorCode, Retry};
use crate::dialect::Dialect;
use crate::guard::auth::{AuthScheme, Key};
use crate::guard::header::RequiredHeader;
use crate::loader::PolicyLoader;
use crate::loader::keys::tests::as_text;
use crate::outward::OutwardRule;
use crate::policy::keys::RouteTable;
use crate::policy::rule::MapRule;
use crate::policy::{
    BodyLimitPer, EventStreams, ExtProcBodies, LetterCase, Mode, NoTransform, Origin, Paths, Policy, PolicyBuilder,
    Preflight, Protocols, RouteRule, Scope, Trust, UnknownCodes,
};

const EVERY_KEY: &str = r#"
version = 1
include = []
base = []

[request_id]
trust = "valid"
traceparent = true
upstream = true

[rpc]
domain = "orders.example.com"

[defaults]
mode = "fill"
dialect = "problem"
negotiate = false
unknown_codes = "by_status"
body_limit = "2 MiB"
body_limit_per = "message"
json = false
content_types = []
auth = ["app", "partner"]
auth_observe = false
require_headers = ["tenant", "app id"]
no_transform = "respect"
protocols = "rewrite"
keep_fields = ["field", "retry_in"]
preflight = "guard"
paths = "refuse"
case = "exact"
event_streams = "append_error"
ext_proc_bodies = "buffered"
html = true
expose_headers = false

[inspect]
max_bytes = "1 GiB"
timeout = "1500ms"

[drain]
max_bytes = 0

[header.tenant]
name = "X-Tenant"
pattern = "[a-z]{1,8}"
missing = "Missing X-Tenant header"
invalid = "Invalid X-Tenant format"
[header."app id"]
name = "x-app-id"

[auth.app]
scheme = "header"
header = "x-api-key"
pattern = "[a-z]{1,9}"
challenge = 'Own realm="x"'
forward_id = "x-consumer-id"
keys = [
  { id = "a", sha256 = "fa93378f7d690467a255d8e41ef2cf3a009121a8df7e07df956b401ba231bd66", revoked = true },
  { id = "b", sha256 = "0a2b100945586dce5a8b1cae7b7f864c9fd922d168cc0a196d8008f17ce675bd", expires = 2027-01-01T01:00:00+01:00 },
]
[auth.app.messages]
missing = "Missing API key"
[auth.partner]
scheme = "custom"

[[outward]]
codes = ["other", "seat_taken"]
name = "BUSY"
message = "Try later."
status = 503

[[route]]
match = "GET|POST /files/{*path}"
mode = "off"
dialect = "openai"
auth = []
auth_observe = true
body_limit = "none"
json = true
[[route]]
match = "/files/{name}"
body_limit = 0
content_types = ["Text/CSV", "text/plain"]
require_headers = []

[[code]]
code = "seat_taken"
status = 409
grpc = 6
retry = "refresh"
message = "The seat is taken."
[[code]]
code = "aisle_closed"
status = 503

[[map]]
status = 404
code = "NO_SEAT"
message = "Seat not found"
content_type = "Application/JSON"
route = "GET /seats/{*rest}"
to = "seat_taken"
say = "Choose another seat."
[[map]]
message_pattern = "^No .* found$"
to = "not_found"
"#;

fn built() -> Policy {
    let tenant = RequiredHeader::new("X-Tenant").pattern("[a-z]{1,8}");
    let taken = ErrorCode::custom("seat_taken", 409).with_grpc(6).with_retry(Retry::Refresh);
    let rule = MapRule::to(taken.clone()).status(404).code("NO_SEAT").message("Seat not found");
    let files = RouteRule::new("GET|POST /files/{*path}").mode(Mode::Off).no_body_limit().json(true);
    let files = files.dialect(Dialect::OpenAi).auth([""; 0]).auth_observe(true);
    let a = Key::sha256("a", "fa93378f7d690467a255d8e41ef2cf3a009121a8df7e07df956b401ba231bd66").revoked();
    let b = Key::sha256("b", "0a2b100945586dce5a8b1cae7b7f864c9fd922d168cc0a196d8008f17ce675bd");
    let b = b.expires(SystemTime::UNIX_EPOCH + Duration::from_secs(1_798_761_600));
    let app = AuthScheme::header("x-api-key").pattern("[a-z]{1,9}").challenge("Own realm=\"x\"").key(a).key(b);
    let app = app.forward_id("x-consumer-id").missing("Missing API key");
    let file = RouteRule::new("/files/{name}").body_limit(0).content_types(["Text/CSV", "text/plain"]);
    let builder = Policy::builder()
        .trust(Trust::Valid)
        .traceparent(true)
        .upstream_request_id(true)
        .mode(Mode::Fill)
        .dialect(Dialect::Problem)
        .auth(["app", "partner"])
        .auth_observe(false)
        .scheme("app", app)
        .scheme("partner", AuthScheme::custom())
        .outward(OutwardRule::new([ErrorCode::OTHER, taken.clone()]).name("BUSY").message("Try later.").status(503))
        .negotiate(false)
        .unknown_codes(UnknownCodes::ByStatus)
        .body_limit(2 * 1024 * 1024)
        .body_limit_per(BodyLimitPer::Message)
        .json(false)
        .content_types([""; 0])
        .require_headers(["tenant", "app id"])
        .no_transform(NoTransform::Respect)
        .protocols(Protocols::Rewrite)
        .keep_fields(["field", "retry_in"])
        .preflight(Preflight::Guard)
        .paths(Paths::Refuse)
        .case(LetterCase::Exact)
        .event_streams(EventStreams::AppendError)
        .ext_proc_bodies(ExtProcBodies::Buffered)
        .html(true)
        .expose_headers(false)
        .rpc_domain("orders.example.com")
        .inspect(1 << 30, Duration::from_millis(1500))
        .drain(0, Duration::from_secs(2))
        .header("tenant", tenant.missing("Missing X-Tenant header").invalid("Invalid X-Tenant format"))
        .header("app id", RequiredHeader::new("x-app-id"))
        .route(files)
        .route(file.require_headers([""; 0]))
        .code(taken.with_message("The seat is taken."))
        .code(ErrorCode::custom("aisle_closed", 503))
        .map(rule.content_type("Application/JSON").route("GET /seats/{*rest}").say("Choose another seat."))
        .map(MapRule::to(ErrorCode::NOT_FOUND).message_pattern("^No .* found$"));
    builder.build().unwrap()
}

/// Returns the facts of a code that `Debug` does not show.
fn code_facts(policy: &Policy, name: &str) -> (u16, u8, Retry, String) {
    let code = policy.codes().find(name).unwrap();
    (code.status().as_u16(), code.grpc(), code.retry(), code.message().to_owned())
}

#[test]
fn a_file_and_the_builders_that_say_the_same_make_the_same_policy() {
    let loader = PolicyLoader::new().any_verifier();
    let read = loader.parse("policy.toml", EVERY_KEY).unwrap().into_policy().with_origin(Origin::DEFAULTS);
    assert_eq!(format!("{read:#?}"), format!("{:#?}", built().with_origin(Origin::DEFAULTS)));
    for name in ["seat_taken", "aisle_closed"] {
        assert_eq!(code_facts(&read, name), code_facts(&built(), name));
    }
    assert_eq!(read.rules(&read.settings_without_host().normal)[0].to.message(), "The seat is taken.");
}

#[test]
fn the_defaults_written_out_are_the_default_policy() {
    let defaults = r#"
        version = 1
        [request_id]
        trust = "never"
        traceparent = false
        [defaults]
        KEYS
        [inspect]
        max_bytes = "64 KiB"
        timeout = "1s"
        [drain]
        max_bytes = "16 MiB"
        timeout = "2s"
    "#;
    let loaded =
        Policy::from_toml("policy.toml", &defaults.replace("KEYS", &as_text(&RouteTable::defaults()))).unwrap();
    let settings = |policy: &Policy| format!("{:?}", policy.normalised(&http::Method::GET, "", "/"));
    let budgets =
        |policy: &Policy| format!("{:?} {:?} {:?}", policy.process.inspect, policy.process.drain, policy.process.ids);
    assert_eq!(settings(&loaded), settings(&Policy::default()));
    assert_eq!(budgets(&loaded), budgets(&Policy::default()));
    let silent = Policy::from_toml("policy.toml", "version = 1").unwrap().with_origin(Origin::DEFAULTS);
    assert_eq!(format!("{silent:?}"), format!("{:?}", Policy::default()));
}

#[test]
fn a_route_that_says_json_false_keeps_a_wider_list_out() {
    let text = "version = 1\ndefaults.content_types = [\"a/b\"]\n[[route]]\nmatch = \"/x\"\njson = false\n";
    let policy = Policy::from_toml("policy.toml", text).unwrap();
    let asks = |path| policy.normalised(&http::Method::POST, "", path).content_types.is_some();
    assert!(asks("/") && !asks("/x"));
}

/// Checks the place of each error about a list of names.
#[test]
fn m2_each_unknown_name_of_a_list_is_reported_at_its_place() {
    let text = "version = 1\n[header.tenant]\nname = \"x-tenant\"\n[defaults]\nauth = [\"a\", \"b\"]\nrequire_headers = \
                [\"tennant\", \"tenant\", \"app\"]\n";
    let mistakes = PolicyLoader::new().check_text("policy.toml", text).unwrap_err();
    let keys: Vec<_> = mistakes.iter().map(|error| (error.key().unwrap(), &text[error.span().unwrap()])).collect();
    let expected = [
        ("defaults.auth[0]", "\"a\""),
        ("defaults.auth[1]", "\"b\""),
        ("defaults.require_headers[0]", "\"tennant\""),
        ("defaults.require_headers[2]", "\"app\""),
    ];
    assert_eq!(keys, expected);
}

fn folder(name: &str, files: &[(&str, &str)]) -> std::path::PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/tmp").join(name);
    for (file, text) in files {
        let path = folder.join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    folder
}

const ORDERS: &str = r#"
version = 1
[scope]
hosts = ["Orders.example.com"]
prefix = "/orders"
[defaults]
body_limit = 10
[[route]]
match = "/orders/{id}"
mode = "own"
[[map]]
code = "GONE"
to = "order_gone"
[[outward]]
codes = ["order_gone"]
name = "GONE"
"#;

const SHARED: &str = r#"
version = 1
defaults.mode = "observe"
[[code]]
code = "order_gone"
status = 410
[[map]]
code = "LOST"
to = "order_gone"
"#;

#[test]
fn bases_and_an_included_file_and_a_scope_in_rust_make_the_same_policy() {
    let root = "version = 1\ninclude = [\"services/o*.toml\"]\nbase = [\"first.toml\", \"shared/last.toml\"]\n[[map]]\n\
                code = \"X\"\nto = \"gone\"\n";
    let first = "version = 1\ndefaults.mode = \"fill\"\ndefaults.json = true\n[[map]]\ncode = \"Y\"\nto = \"gone\"\n";
    let last = SHARED.replacen("version = 1\n", "version = 1\nbase = [\"base.toml\"]\n", 1);
    let files = [
        ("policy.toml", root),
        ("services/orders.toml", ORDERS),
        ("first.toml", first),
        ("shared/last.toml", &last),
        ("shared/base.toml", "version = 1\ndefaults.mode = \"off\"\ndefaults.case = \"exact\"\n"),
    ];
    let read = PolicyLoader::new().load(folder("included", &files).join("policy.toml")).unwrap();
    assert_eq!((read.files().count(), read.folders().count()), (5, 1));
    let gone = ErrorCode::custom("order_gone", 410);
    let orders = Scope::new()
        .host("orders.example.com")
        .prefix("/orders")
        .body_limit(10)
        .route(RouteRule::new("/orders/{id}").mode(Mode::Own))
        .map(MapRule::to(gone.clone()).code("GONE"))
        .outward(OutwardRule::new([gone.clone()]).name("GONE"));
    let builder = Policy::builder().mode(Mode::Observe).json(true).case(LetterCase::Exact).code(gone.clone());
    let rules = [
        MapRule::to(ErrorCode::GONE).code("X"),
        MapRule::to(gone).code("LOST"),
        MapRule::to(ErrorCode::GONE).code("Y"),
    ];
    let built = rules.into_iter().fold(builder.scope(orders), PolicyBuilder::map).build().unwrap();
    assert_eq!(
        format!("{:#?}", read.into_policy().with_origin(Origin::DEFAULTS)),
        format!("{:#?}", built.with_origin(Origin::DEFAULTS))
    );
}

#[test]
fn a_pattern_that_looks_through_too_many_folders_is_refused() {
    let root = "version = 1\ninclude = [\"many/**/*.toml\"]\n";
    let files = [("policy.toml", root), ("many/a/one.toml", "version = 1\n[scope]\nprefix = \"/a\"\n")];
    let many = folder("wide", &files).join("many");
    let load = || PolicyLoader::new().load(many.with_file_name("policy.toml")).map(|read| read.files().count());
    (0..8200).for_each(|at| fs::create_dir_all(many.join(at.to_string())).unwrap());
    let refused = load().unwrap_err().to_string();
    fs::remove_dir_all(&many).unwrap();
    let wrong = "policy.toml:2: include[0]: \"many/**/*.toml\" searches more than 8192 folders; narrow the pattern";
    assert!(refused.ends_with(wrong), "{refused}");
    folder("wide", &files);
    assert_eq!(load().unwrap(), 2);
}

/// A text that may be the secret itself is not quoted (L3).
#[cfg(feature = "jwt")]
#[test]
fn m2_an_error_of_a_secret_names_its_variable() {
    let pasted = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP";
    for (name, value, wrong) in [
        ("JWT_SECRET", None, "there is no environment variable JWT_SECRET"),
        ("JWT_SECRET", Some(""), "the environment variable JWT_SECRET is empty"),
        ("sk_live_1", None, "there is no such environment variable"),
        (pasted, None, "there is no such environment variable"),
        ("", None, "there is no such environment variable"),
    ] {
        let text =
            format!("version = 1\n[auth.a]\nscheme = \"jwt\"\nsecret_env = \"{name}\"\nalgorithms = [\"HS256\"]\n");
        let loader = PolicyLoader::new().environment(move |_| value.map(str::to_owned));
        let refused = loader.parse("policy.toml", &text).unwrap_err().to_string();
        assert!(refused.contains(wrong), "{refused}");
        assert!(wrong.contains(name) || !refused.contains(name), "{refused}");
    }
}

/// A part that is wrong hides no other mistake of its scheme, and causes none.
#[cfg(feature = "jwt")]
#[test]
fn m2_a_mistake_of_a_scheme_stands_alone() {
    let jwks = r#"{"keys":[{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#;
    let name = folder("scheme", &[("jwks.json", jwks)]).join("policy.toml").display().to_string();
    let key = r#"keys = [{ id = "a", sha256 = "fa93378f7d690467a255d8e41ef2cf3a009121a8df7e07df956b401ba231bd66" }]"#;
    for (lines, expected) in [
        ("scheme = \"jwt\"\njwks_file = \"jwks.json\"", &["auth.a.algorithms"][..]),
        ("scheme = \"jwt\"\njwks_file = \"jwks.json\"\nalgorithms = [\"EDDSA\"]", &["auth.a.algorithms[0]"]),
        (
            "scheme = \"jwt\"\nsecret_env = \"SHORT\"\nalgorithms = [\"none\"]",
            &["auth.a.secret_env", "auth.a.algorithms"],
        ),
        (
            "scheme = \"jwt\"\nsecret_env = \"UNSET\"\ntimeout = \"1s\"\nalgorithms = [\"HS256\", \"RS256\"]",
            &["auth.a.secret_env", "auth.a.timeout", "auth.a.algorithms"],
        ),
        ("scheme = \"custom\"\nsecret_env = \"SHORT\"\ntimeout = \"1s\"", &["auth.a.secret_env"]),
        ("scheme = \"header\"\nheader = \"x api\"\npattern = \"a b\"", &["auth.a.header"]),
        ("scheme = \"header\"\npattern = \"a,b\"", &["auth.a.header", "auth.a.pattern"]),
        (
            "scheme = \"basic\"\ntimeout = \"0s\"\nid_header = \"host\"",
            &["auth.a.scheme", "auth.a.timeout", "auth.a.id_header"],
        ),
        ("scheme = \"beare\"\nissuer = \"i\"", &["auth.a.keys", "auth.a.scheme", "auth.a.issuer"]),
    ] {
        let key = if lines.contains("\"header\"") { key } else { "" };
        let text = format!("version = 1\n[auth.a]\n{lines}\n{key}\n");
        let short = |name: &str| (name == "SHORT").then(|| "short".to_owned());
        let mistakes = PolicyLoader::new().environment(short).any_verifier().check_text(&name, &text).unwrap_err();
        let keys: Vec<_> = mistakes.iter().filter_map(|error| error.key()).collect();
        assert_eq!(keys, expected, "{lines}: {mistakes:?}");
    }
}
