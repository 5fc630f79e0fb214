//! Tests `jwks_url` (G2) with a provider that rotates its keys, is down, or sends no valid key set, while tokens are
//! presented. Time is simulated. The provider is a real server with TLS.

mod provider;

use std::convert::Infallible;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use serde_json::json;
use tokio::time::{Instant, sleep, sleep_until};
use tower::util::BoxCloneSyncService;
use tower::{Layer, ServiceExt, service_fn};
use tower_error_envelope::ErrorEnvelopeLayer;
use tower_error_envelope::Policy;
use tower_error_envelope::auth::{AuthScheme, JwtKeys, KeyFetcher, RemoteKeys};
use tower_error_envelope::policy::PolicyLoader;

use crate::cases::logs::captured;
use crate::command::binary;
use provider::{Provider, Script, Signer, response, set};

const SPACING: Duration = Duration::from_secs(30);

type Wrapped = BoxCloneSyncService<Request<Full<Bytes>>, Response<Full<Bytes>>, Infallible>;

/// Runs `work` with time paused, and returns what was logged.
fn simulated<T>(work: impl Future<Output = T>) -> (T, String) {
    captured(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        runtime.block_on(work)
    })
}

/// Makes a fetcher on this runtime.
fn fetcher(provider: &Provider) -> KeyFetcher {
    let (fetcher, driver) = KeyFetcher::trusting(provider.pem.as_bytes()).unwrap().driven();
    tokio::spawn(driver);
    fetcher
}

fn scheme(keys: RemoteKeys) -> AuthScheme {
    AuthScheme::jwt(JwtKeys::remote(keys)).algorithms(["EdDSA"])
}

fn service(keys: RemoteKeys) -> Wrapped {
    wrapped(
        ErrorEnvelopeLayer::new().policy(Policy::builder().scheme("id", scheme(keys)).auth(["id"]).build().unwrap()),
    )
}

fn wrapped(layer: ErrorEnvelopeLayer) -> Wrapped {
    let inner = service_fn(|_| async { Ok::<_, Infallible>(Response::new(Full::<Bytes>::default())) });
    let service = layer.layer(inner);
    let service = service.map_response(|response: Response<_>| response.map(|_| Full::default()));
    BoxCloneSyncService::new(service)
}

async fn status(service: &Wrapped, token: &str) -> u16 {
    let request = Request::get("/").header("authorization", format!("Bearer {token}")).body(Full::default()).unwrap();
    let Ok(response) = service.clone().oneshot(request).await;
    response.status().as_u16()
}

fn assert_spaced(fetches: &[Instant]) {
    let apart = |pair: &[Instant]| pair[1] - pair[0] >= SPACING;
    assert!(fetches.windows(2).all(apart), "{fetches:?}");
}

/// A small version of a real OpenID provider: it publishes new keys before it uses them, and keeps old ones for a
/// while. Tokens with unknown keys arrive all the time.
#[test]
fn g2_keys_rotate_and_no_good_token_is_refused_and_no_bad_one_let_in() {
    let (fetches, _) = simulated(async {
        let mut old = Signer::new("key-0");
        let provider = Provider::start(set([&old])).await;
        let service = service(fetcher(&provider).keys(&provider.url));
        let start = Instant::now();
        for round in 1..=2_u64 {
            let (new, forger) = (Signer::new(format!("key-{round}")), Signer::new(format!("forged-{round}")));
            // This token has the old key's id, and another key.
            let thief = Signer::new(format!("key-{}", round - 1));
            for second in 0..120_u64 {
                match second {
                    20 => provider.does(set([&old, &new])),
                    100 => provider.does(set([&new])),
                    _ => {}
                }
                // From 20 + 30 seconds on, the token is the new key's.
                let good = if second < 52 { old.good() } else { new.good() };
                assert_eq!(status(&service, &good).await, 200, "round {round}, second {second}");
                let expired = old.token(&json!({ "sub": "anna", "exp": 1 }));
                for bad in [forger.good(), thief.good(), expired, format!("{good}x"), "x".to_owned()] {
                    assert_eq!(status(&service, &bad).await, 401, "round {round}, second {second}");
                }
                sleep_until(start + Duration::from_secs((round - 1) * 120 + second + 1)).await;
            }
            old = new;
        }
        provider.fetches()
    });
    assert_spaced(&fetches);
    assert!((7..=8).contains(&fetches.len()), "{fetches:?}");
}

/// There are no forged tokens. The first token of a new key causes the next fetch, and waits for it.
#[test]
fn g2_a_token_of_a_new_key_waits_for_the_fetch_that_it_asks_for() {
    let ((), _) = simulated(async {
        let (old, new) = (Signer::new("old"), Signer::new("new"));
        let provider = Provider::start(set([&old])).await;
        let service = service(fetcher(&provider).keys(&provider.url));
        assert_eq!(status(&service, &old.good()).await, 200);
        sleep(Duration::from_secs(31)).await;
        provider.does(set([&new]));
        assert_eq!(status(&service, &old.good()).await, 200);
        assert_eq!(provider.fetches().len(), 1);
        // Many tokens at once cause one fetch.
        let tokens: Vec<_> = (0..20).map(|_| new.good()).collect();
        let statuses = futures_util::future::join_all(tokens.iter().map(|token| status(&service, token))).await;
        assert_eq!((statuses, provider.fetches().len()), (vec![200; 20], 2));
        // A withdrawn key no longer verifies tokens.
        assert_eq!(status(&service, &old.good()).await, 401);
        // A token that its claims refuse causes no fetch.
        sleep(SPACING).await;
        assert_eq!(status(&service, &old.token(&json!({ "sub": "anna", "exp": 1 }))).await, 401);
        assert_eq!(provider.fetches().len(), 2);
        // By the response's headers, the next fetch is 10 minutes after the second.
        sleep(Duration::from_secs(569)).await;
        assert_eq!(provider.fetches().len(), 2);
        sleep(Duration::from_secs(2)).await;
        assert_eq!(provider.fetches().len(), 3);
    });
}

#[test]
fn g2_a_provider_that_is_down_at_the_start_and_comes_back_is_503_until_then() {
    let (provider, log) = simulated(async {
        let signer = Signer::new("key");
        let provider = Provider::start(Script::Down).await;
        let keys = fetcher(&provider).keys(&provider.url);
        let service = service(keys.clone());
        for _ in 0..3 {
            assert_eq!(status(&service, &signer.good()).await, 503);
            assert_eq!(status(&service, "x").await, 401);
        }
        sleep(Duration::from_secs(100)).await;
        assert!(!keys.has_set());
        provider.does(set([&signer]));
        assert_eq!(status(&service, &signer.good()).await, 503);
        sleep(SPACING).await;
        assert_eq!(status(&service, &signer.good()).await, 200);
        // The provider is down again, and the set stays.
        provider.does(Script::Down);
        sleep(Duration::from_secs(3600)).await;
        assert_eq!(status(&service, &signer.good()).await, 200);
        provider
    });
    assert_spaced(&provider.fetches());
    for (text, times) in [
        ("cannot fetch the key set; requests that need it fail until a fetch succeeds", 1),
        ("cannot fetch the key set; the old one stays active", 1),
        ("fetched the key set", 1),
        ("no key set has been fetched yet", 4),
        ("tenant=1", 0),
    ] {
        assert_eq!(log.matches(text).count(), times, "{text}: {log}");
    }
}

#[test]
fn g2_a_token_waits_as_long_as_its_scheme_says() {
    let ((), _) = simulated(async {
        let provider = Provider::start(Script::Silent).await;
        let keys = fetcher(&provider).keys(&provider.url);
        let policy = |timeout| Policy::builder().scheme("id", scheme(keys.clone()).timeout(timeout)).auth(["id"]);
        let seconds = Duration::from_secs(3);
        let service = wrapped(ErrorEnvelopeLayer::new().policy(policy(seconds).build().unwrap()));
        let begun = Instant::now();
        assert_eq!(status(&service, &Signer::new("key").good()).await, 503);
        assert_eq!(begun.elapsed().as_secs(), 3);
    });
}

/// A response that is no key set leaves the old set, and the log states the reason.
#[test]
fn g2_what_is_no_key_set_leaves_the_old_one() {
    let good = Signer::new("good");
    let private = json!({ "keys": [{ "kty": "OKP", "crv": "Ed25519", "x": "AA", "d": "AA" }] }).to_string();
    let unknown = json!({ "keys": [{ "kty": "AKP", "alg": "ML-DSA-44", "kid": "new", "pub": "AA" }] }).to_string();
    let huge = [b"{\"keys\":[".as_slice(), &vec![b' '; 10 << 20]].concat();
    let chunked =
        [b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n".as_slice(), b"fffff\r\n".as_slice()].concat();
    let endless = [chunked, vec![b' '; 0x10000]].concat();
    for (script, why) in [
        (
            Script::Says(response(b"<!doctype html><title>Welcome</title>", "content-type: text/html\r\n")),
            "not a JWK set (line 1, column 1)",
        ),
        (Script::Says(response(&huge, "")), "larger than 1 MiB"),
        (Script::Says(response(b"", "")), "not a JWK set"),
        (Script::Says(response(b"{\"keys\":[]}", "")), "the key set has no key for"),
        (Script::Says(response(unknown.as_bytes(), "")), "the key set has no key for"),
        (Script::Says(response(private.as_bytes(), "")), "contains a private or symmetric key"),
        (Script::Says(response(b"\xff", "")), "not UTF-8"),
        (Script::Says(response(&b"[".repeat(500_000), "")), "not a JWK set"),
        (
            Script::Says(b"HTTP/1.1 302 Found\r\nlocation: https://elsewhere.example/\r\n\r\n".to_vec()),
            "302, and redirects are not followed",
        ),
        (Script::Says(b"HTTP/1.1 500 Oops\r\ncontent-length: 0\r\n\r\n".to_vec()), "the key server returned 500"),
        (Script::Says(b"SSH-2.0-OpenSSH_9.7\r\n".to_vec()), "error"),
        (Script::Says(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{".to_vec()), "error"),
        (Script::Trickles(endless), "longer than 5 s"),
        (Script::Trickles(response(b"{", "").replace_length()), "longer than 5 s"),
        (Script::Silent, "longer than 5 s"),
        (Script::Down, "TLS: "),
    ] {
        let (fetches, log) = simulated(async {
            let provider = Provider::start(set([&good])).await;
            let service = service(fetcher(&provider).keys(&provider.url));
            assert_eq!(status(&service, &good.good()).await, 200, "{why}");
            provider.does(script);
            sleep(Duration::from_secs(31)).await;
            assert_eq!(status(&service, &Signer::new("new").good()).await, 401, "{why}");
            assert_eq!(status(&service, &good.good()).await, 200, "{why}");
            sleep(Duration::from_secs(10)).await;
            provider.fetches().len()
        });
        let warning = log.lines().find(|line| line.contains("the old one stays active")).unwrap_or_default();
        assert!(
            fetches == 2 && warning.contains(why) && !warning.contains("Welcome"),
            "{why}: {fetches} fetches: {warning}"
        );
    }
}

trait ReplaceLength {
    fn replace_length(self) -> Vec<u8>;
}

impl ReplaceLength for Vec<u8> {
    /// Declares a length that the body does not reach.
    fn replace_length(self) -> Vec<u8> {
        String::from_utf8(self).unwrap().replace("content-length: 1\r\n", "content-length: 1000\r\n").into_bytes()
    }
}

/// Keys of unknown algorithms are skipped (RFC 7517 §5).
#[test]
fn g2_one_key_of_a_set_is_enough() {
    let ((), _) = simulated(async {
        let good = Signer::new("good");
        let keys = json!({ "keys": [{ "kty": "AKP", "alg": "ML-DSA-44", "pub": "AA" }, good.jwk(), { "kty": "EC" }] });
        let provider = Provider::start(Script::Says(response(keys.to_string().as_bytes(), ""))).await;
        let service = service(fetcher(&provider).keys(&provider.url));
        assert_eq!(status(&service, &good.good()).await, 200);
    });
}

/// A provider without a trusted certificate is not used.
#[test]
fn g2_the_provider_must_be_known() {
    let (status, log) = simulated(async {
        let good = Signer::new("good");
        let (provider, other) = (Provider::start(set([&good])).await, Provider::start(set([&good])).await);
        let service = service(fetcher(&other).keys(&provider.url));
        status(&service, &good.good()).await
    });
    assert_eq!(status, 503);
    assert!(log.contains("TLS: invalid peer certificate"), "{log}");
    assert!(KeyFetcher::trusting(b"no certificate").is_err());
}

/// A new policy keeps the set of the policy that it replaces. A policy that ends also ends its fetches.
#[test]
fn m3_a_reload_that_keeps_the_url_keeps_the_set() {
    let ((), _) = simulated(async {
        let good = Signer::new("good");
        let provider = Provider::start(set([&good])).await;
        let fetcher = fetcher(&provider);
        let named = |name: &str| {
            let text = format!(
                "version = 1\n[auth.{name}]\nscheme = \"jwt\"\njwks_url = \"{}\"\nalgorithms = [\"EdDSA\"]\n[defaults]\nauth = [\"{name}\"]\n",
                provider.url
            );
            let fetcher = fetcher.clone();
            let loader = PolicyLoader::new().key_sets(move |url| Ok(fetcher.keys(url)));
            wrapped(ErrorEnvelopeLayer::new().policy(loader.parse("policy.toml", &text).unwrap().into_policy()))
        };
        let first = named("first");
        assert_eq!(status(&first, &good.good()).await, 200);
        provider.does(Script::Down);
        let second = named("second");
        drop(first);
        assert_eq!(status(&second, &good.good()).await, 200);
        assert_eq!(provider.fetches().len(), 1);
        drop(second);
        sleep(Duration::from_secs(7200)).await;
        assert_eq!(provider.fetches().len(), 1);
    });
}

#[test]
fn m2_a_loader_that_fetches_nothing_says_what_else_there_is() {
    let text =
        "version = 1\n[auth.a]\nscheme = \"jwt\"\njwks_url = \"https://id.example/keys\"\nalgorithms = [\"RS256\"]\n";
    let refused = Policy::from_toml("policy.toml", text).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "policy.toml:4: auth.a.jwks_url: this program does not fetch key sets; use jwks_file, or load the policy with \
         a layer that has the feature \"jwks-url\""
    );
}

/// The gateway uses the fetcher that layers share, in its own thread, with the platform's certificates. Here, a file
/// has these certificates.
#[test]
fn g2_the_gateway_fetches_what_its_policy_names() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let good = Signer::new("good");
    let provider = runtime.block_on(Provider::start(set([&good])));
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("key_sets");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("roots.pem"), &provider.pem).unwrap();
    let policy = format!(
        "version = 1\n[auth.id]\nscheme = \"jwt\"\njwks_url = \"{}\"\nalgorithms = [\"EdDSA\"]\ntimeout = \"20s\"\n[defaults]\nauth = [\"id\"]\n",
        provider.url
    );
    fs::write(folder.join("policy.toml"), policy).unwrap();
    let mut command = Command::new(binary());
    // Nobody listens at the upstream's address, so each accepted request gets 502.
    command.args(["gateway", "--listen", "127.0.0.1:0", "--upstream", "http://127.0.0.1:1", "--policy", "policy.toml"]);
    command.current_dir(&folder).env("SSL_CERT_FILE", "roots.pem").stdout(Stdio::piped()).stderr(Stdio::null());
    let mut gateway = command.spawn().unwrap();
    let mut line = String::new();
    BufReader::new(gateway.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let address = line.trim().strip_prefix("listening on http://").unwrap();
    let ask = |token: &str| {
        let mut stream = TcpStream::connect(address).unwrap();
        write!(stream, "GET / HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {token}\r\nconnection: close\r\n\r\n")
            .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer[9..12].to_owned()
    };
    let answers = [good.good(), Signer::new("good").good()].map(|token| ask(&token));
    gateway.kill().unwrap();
    gateway.wait().unwrap();
    assert_eq!((answers, provider.fetches().len()), (["502", "401"].map(str::to_owned), 1));
}
