//! Parameters, and spellings that may hide a secret. People reported them in public, with other secrets.

use proptest::prelude::*;

use super::super::{Strictness, body, text};
use super::assert_texts;

/// Texts, each with the text that a client gets in its place.
const REPLACED: [(&str, &str); 37] = [
    // aaif-goose/goose#3191, BerriAI/litellm#15799.
    (
        "Request failed: error sending request for url (https://g.example/v1beta/models/x:generateContent?key=abc",
        "Request failed: error sending request for url (https://g.example/v1beta/models/x:generateContent?key=[redacted]",
    ),
    (
        "Client error '404 Not Found' for url 'https://g.example/v1beta/models/x:generateContent?key=demo'",
        "Client error '404 Not Found' for url 'https://g.example/v1beta/models/x:generateContent?key=[redacted]'",
    ),
    // googlemaps/google-maps-services-python#158.
    (
        "Max retries exceeded with url: /json?address=1600+Amphitheatre+Parkway%2C+CA&key=demo (Caused by NewConnectionError",
        "Max retries exceeded with url: /json?address=1600+Amphitheatre+Parkway%2C+CA&key=[redacted] (Caused by NewConnectionError",
    ),
    // mariovalney/laravel-keycloak-web-guard#53, oidc-wp/openid-connect-generic#359 (whose code is empty), keycloak-js.
    (
        "Callback URL: http://127.0.0.1:8000/callback?state=abc&session_state=34041c3e-8261&code=230400b8-d80a.34041c3e",
        "Callback URL: http://127.0.0.1:8000/callback?state=[redacted]&session_state=34041c3e-8261&code=[redacted]",
    ),
    (
        "URI : /admin-ajax.php?action=openid&state=abc&session_state=4b19189b&code=\nobject(WP_Error)",
        "URI : /admin-ajax.php?action=openid&state=[redacted]&session_state=4b19189b&code=\nobject(WP_Error)",
    ),
    ("https://app.example/#state=abc&code=def", "https://app.example/#state=[redacted]&code=[redacted]"),
    // spring-guides/tut-spring-security-and-angular-js#128, freee/freee-mcp#497.
    (
        "FilterChainProxy : /login?code=aab&state=wTvBkW at position 6 of 12",
        "FilterChainProxy : /login?code=[redacted]&state=[redacted] at position 6 of 12",
    ),
    (
        "Callback request: GET /callback?code=xyz&state=abc",
        "Callback request: GET /callback?code=[redacted]&state=[redacted]",
    ),
    // Azure/Azurite#1263, aws/aws-cli#4658.
    (
        "RequestURL=http://azurite/a.json?spr=https%2Chttp&st=2022-01-05T11%3A55%3A05Z&sp=r&sig=Xumrafw%3D RequestHeaders:{}",
        "RequestURL=http://azurite/a.json?spr=https%2Chttp&st=2022-01-05T11%3A55%3A05Z&sp=r&sig=[redacted] RequestHeaders:{}",
    ),
    (
        "https://b.example/panda.jpg?X-Amz-Expires=3600&X-Amz-SignedHeaders=host&X-Amz-Signature=invalid&Signature=expired",
        "https://b.example/panda.jpg?X-Amz-Expires=3600&X-Amz-SignedHeaders=host&X-Amz-Signature=invalid&Signature=[redacted]",
    ),
    // navidrome/navidrome#6013, matrix-org/synapse#1218, pavelzbornik/whisperX-FastAPI#574.
    (
        "GET /rest/stream?u=ada&api%5Fkey=abc&%41piKey=def&%6Awt=ghi",
        "GET /rest/stream?u=ada&api%5Fkey=[redacted]&%41piKey=[redacted]&%6Awt=[redacted]",
    ),
    (
        "/_matrix/client/r0/sync?access%5Ftoken=MDAx%26bG9j%3D&since=s1",
        "/_matrix/client/r0/sync?access%5Ftoken=[redacted]&since=s1",
    ),
    ("unknown parameter: to%6ben=super-secret", "unknown parameter: to%6ben=[redacted]"),
    // open-metadata/OpenMetadata#28951, spring-attic/spring-security-oauth#152.
    (
        "http://127.0.0.1:33418/?state=n%252BeBY2%253D%253D does not match",
        "http://127.0.0.1:33418/?state=[redacted] does not match",
    ),
    (
        "http:/myhost/authorized?code=xyz&state=s1=s2&s2 =?",
        "http:/myhost/authorized?code=[redacted]&state=[redacted] =?",
    ),
    // jdigger/git-process#57, chaoss/grimoirelab#242. Such a state cannot be distinguished from the state of a sign-in.
    (
        "GET http://g.example/api/v3/pulls?state=open&access_token=8ae10ff5b857 failed: 404",
        "GET http://g.example/api/v3/pulls?state=[redacted]&access_token=[redacted] failed: 404",
    ),
    (
        "Not Found for url: https://api.example/issues?state=all&since=1970-01-01T00%3A00%3A00%2B00%3A00&per_page=100",
        "Not Found for url: https://api.example/issues?state=[redacted]&since=1970-01-01T00%3A00%3A00%2B00%3A00&per_page=100",
    ),
    // websocket-client/websocket-client#621, danni-cool/wechatbot-webhook#182.
    (
        "wss://h.example/connect?connectionToken=TPJ9%2FycuKK&connectionData=%5B%7B%22name%22%3A%22streaming%22%7D%5D&tid=7",
        "wss://h.example/connect?connectionToken=[redacted]&connectionData=%5B%7B%22name%22%3A%22streaming%22%7D%5D&tid=7",
    ),
    ("http://localhost:3001/v2?token=[YOUR_TOKEN]", "http://localhost:3001/v2?token=[redacted]"),
    // A service may repeat its request in these forms: forms, URLs in URLs (once and twice), and the escapes of Go and
    // Gson.
    (
        "cannot read the form code=abc&grant_type=authorization_code&redirect_uri=https%3A%2F%2Fa.example%2Fcb",
        "cannot read the form code=[redacted]&grant_type=authorization_code&redirect_uri=https%3A%2F%2Fa.example%2Fcb",
    ),
    (
        "/Login?ReturnUrl=%2Fauthorize%2Fcallback%3Fclient_id%3Dspa%26state%3Dopen%26scope%3Dx&lang=en failed",
        "/Login?ReturnUrl=%2Fauthorize%2Fcallback%3Fclient_id%3Dspa%26state%3D[redacted]%26scope%3Dx&lang=en failed",
    ),
    (
        "/a?next=https%3A%2F%2Fx%2F%3Ftoken%3Dab%2526cd%253Def&page=2",
        "/a?next=https%3A%2F%2Fx%2F%3Ftoken%3D[redacted]&page=2",
    ),
    (
        "/a?continue=https%3A%2F%2Fx%2F%3Fnext%3Dhttps%253A%252F%252Fy%252F%253Fkey%253Dabc%2526a%253D1%26b%3D2",
        "/a?continue=https%3A%2F%2Fx%2F%3Fnext%3Dhttps%253A%252F%252Fy%252F%253Fkey%253D[redacted]%2526a%253D1%26b%3D2",
    ),
    (
        r"Get \u0022https://x.example/?a=1\u0026key\u003dabc",
        r"Get \u0022https://x.example/?a=1\u0026key\u003d[redacted]",
    ),
    ("<a href='/x?page=2&amp;session=abc&amp;n=1'>", "<a href='/x?page=2&amp;session=[redacted]&amp;n=1'>"),
    ("no user for ?token=ab;cd&n=1, or ?key=ab;cd;n=1", "no user for ?token=[redacted]&n=1, or ?key=[redacted];cd;n=1"),
    // A sentence that is percent-encoded, and a card.
    (
        "/err?m=login%20with%20password%20hunter2x9%20failed&n=1",
        "/err?m=login%20with%20password%20[redacted]%20failed&n=1",
    ),
    ("/pay?card=4111%201111%201111%201111&n=1", "/pay?card=[redacted]&n=1"),
    // No-break spaces (keycloak/keycloak#45778). Python's `repr` escapes them.
    ("Authorization:\u{a0}Bearer\u{a0}abc.def", "Authorization:\u{a0}[redacted]"),
    ("got Bearer\u{202f}abc.def, sorry", "got Bearer\u{202f}[redacted], sorry"),
    ("login failed, password\u{a0}hunter2x9", "login failed, password\u{a0}[redacted]"),
    ("signed in with\u{a0}API\u{a0}key\u{a0}hunter2x9", "signed in with\u{a0}API\u{a0}key\u{a0}[redacted]"),
    (r"'latin-1' codec can't encode 'Bearer\xa0abc.def'", r"'latin-1' codec can't encode 'Bearer\xa0[redacted]'"),
    // Full-width letters, and the colon of Chinese and Japanese texts.
    ("ｐａｓｓｗｏｒｄ＝ｈｕｎｔｅｒ が違います", "ｐａｓｓｗｏｒｄ＝[redacted] が違います"),
    ("不正なヘッダー：Ｂｅａｒｅｒ　ａｂｃ４７１１", "不正なヘッダー：Ｂｅａｒｅｒ　[redacted]"),
    ("登录失败，密码：hunter2，请重试", "登录失败，密码：[redacted]"),
    (
        "/x?%EF%BD%94%EF%BD%8F%EF%BD%8B%EF%BD%85%EF%BD%8E=abc&%E5%AF%86%E7%A0%81=def",
        "/x?%EF%BD%94%EF%BD%8F%EF%BD%8B%EF%BD%85%EF%BD%8E=[redacted]&%E5%AF%86%E7%A0%81=[redacted]",
    ),
];

const ORDINARY: [&str; 22] = [
    // ingydotnet/git-hub#72, gboeing/osmnx#880, linagora/cozy-client#637.
    "Issues for 'ingydotnet/onebusaway-iphone' (state=open):",
    "Max retries exceeded with url: /search?format=json&q=%E6%AD%A6%E6%B1%89%2C%E4%B8%AD%E5%9B%BD (Caused by X)",
    "redirect_uri=http%253A%252F%252Flocalhost%253A3333%252Fdo_access",
    // zhile-io/pandora#17, NB-XX/AutoBaomiGuan#10.
    "用账号密码登录提示The token is not yet valid",
    "登录失败或token无效",
    // These are not parameters.
    "exit code=1",
    "status code=404, state=closed",
    "level=error code=42 msg=\"no such order\"",
    "the sort key=name is unknown; state=open is not",
    "Key (code)=(42) already exists.",
    "zip_code=12345&country_code=DE is no address",
    "/x?error_code=17&statecode=NY&keyboard=de",
    "/x?code=&state=",
    // These are sentences about credentials, in any spelling.
    "/err?m=The%20token%20has%20expired.%20Log%20in%20again.",
    "error_description=AADSTS50126%3a+Error+validating+credentials+due+to+invalid+username+or+password.%0d%0aTrace+ID%3a+1",
    "Le mot\u{a0}de\u{a0}passe est trop court\u{a0}!",
    "密码：不能为空",
    "パスワード：８文字以上",
    "token：已过期",
    "Token：JWT 已过期",
    "Ｔｏｋｅｎが無効です。",
    "100%25 of C:\\x41 and 50%ab \\\\u0041",
];

#[test]
fn r17_parameters_and_spellings_hide_nothing() {
    assert_texts(&REPLACED, &ORDINARY);
}

#[test]
fn r17_what_is_left_keeps_its_spelling() {
    let xml = "<a>x%3Cb%3E%26token%3Dabc%0A</a>";
    assert_eq!(body(xml.as_bytes()).as_deref(), Some(&b"<a>x%3Cb%3E%26token%3D[redacted]%0A</a>"[..]));
    for json in [r#"{"%70assword":"abc"}"#, r#"{"ｐａｓｓｗｏｒｄ":"abc"}"#, r#"{"access\u00a0token":"abc"}"#] {
        let left = String::from_utf8(body(json.as_bytes()).unwrap_or_default()).expect("UTF-8");
        assert_eq!(left, json.replace("abc", "[redacted]"));
    }
}

/// Returns the text with some of its letters percent-encoded or in full width.
fn respelled(text: &str, how: &[u8]) -> String {
    let letters = text.chars().zip(how.iter().cycle());
    letters
        .map(|(letter, how)| match (letter, how % 4) {
            ('a'..='z' | '0'..='9' | '_', 0) => format!("%{:02X}", u32::from(letter)),
            ('a'..='z' | '0'..='9' | '_', 1) => {
                char::from_u32(u32::from(letter) + 0xfee0).unwrap_or(letter).to_string()
            }
            _ => letter.to_string(),
        })
        .collect()
}

proptest! {
    #[test]
    fn r17_no_spelling_hides_a_parameter(
        name in "code|key|token|state|session|sig|signature|api_key|password",
        secret in "[a-z0-9]{4,12}z",
        how in prop::collection::vec(any::<u8>(), 1..20),
        times in 0..3_usize,
        strict: bool,
    ) {
        let strictness = if strict { Strictness::Strict } else { Strictness::Readable };
        let mut url = format!("https://a.example/?n=1&{}={}&m=2", respelled(&name, &how), respelled(&secret, &how[how.len() / 2..]));
        for _ in 0..times {
            url = format!("https://b.example/?next={}", form_urlencoded(&url));
        }
        let sent = format!("GET {url} failed: no such order");
        let left = text(&sent, strictness);
        let mut read = left.to_string();
        for _ in 0..=times {
            read = percent_encoding::percent_decode_str(&read).decode_utf8_lossy().into_owned();
        }
        let read: String = read.chars().map(|it| if ('！'..='～').contains(&it) { char::from_u32(u32::from(it) - 0xfee0).unwrap_or(it) } else { it }).collect();
        prop_assert!(!read.contains(&secret) && read.contains("=[redacted]&m=2"), "{sent} is left as {left}");
        prop_assert!(read.starts_with("GET https://") && read.ends_with(" failed: no such order"), "{sent} is left as {left}");
    }

    #[test]
    fn r17_any_spelling_is_read(text in "(%[0-9A-F]{0,2}|[\\\\u0x26あ：＝％ａ ?&=%]|token|\\PC){0,20}") {
        for strictness in [Strictness::Strict, Strictness::Readable] {
            let left = super::super::text(&text, strictness);
            let parts: Vec<&str> = left.split("[redacted]").collect();
            prop_assert!(text.starts_with(parts[0]) && text.ends_with(parts[parts.len() - 1]), "{text} is left as {left}");
        }
    }
}

fn form_urlencoded(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}
