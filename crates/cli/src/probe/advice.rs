//! The first steps of a new user, if no response shows that the layer is there.

use http::HeaderMap;

/// Headers by which a framework identifies itself: the name, a part of the value, and the framework.
const SIGNS: [(&str, &str, &str); 7] = [
    ("x-powered-by", "Express", "Express"),
    ("x-powered-by", "PHP", "PHP"),
    ("x-powered-by", "Next.js", "Next.js"),
    ("server", "uvicorn", "Python on uvicorn (FastAPI, Litestar, Starlette)"),
    ("server", "gunicorn", "Python on gunicorn (Flask, Django)"),
    ("server", "Werkzeug", "Flask"),
    ("server", "Kestrel", "ASP.NET Core"),
];

/// The framework of a response, if it identifies itself.
pub(super) fn framework(headers: &HeaderMap) -> Option<&'static str> {
    let has_sign = |(name, sign, _): &&(&str, &str, &str)| {
        headers.get(*name).and_then(|value| value.to_str().ok()).is_some_and(|value| value.contains(sign))
    };
    SIGNS.iter().find(has_sign).map(|(.., framework)| *framework)
}

const LAYER: &str = "\
In Rust (axum, tonic, hyper, warp, poem, salvo), add two lines that put the layer around the whole app:

    use tower_error_envelope::ErrorEnvelopeLayer;
    let app = app.layer(ErrorEnvelopeLayer::new());
";

/// The steps to put the envelope in front of this service. Without a known framework the service may be in Rust, so the
/// steps include the layer.
pub(super) fn first_steps(framework: Option<&str>, url: &str) -> Vec<String> {
    let mut steps = vec![
        "No response has a request id, so no layer or gateway in front of this service writes the envelope.".to_owned(),
    ];
    let front = format!(
        "put the gateway or Envoy in front of it, and probe that address:

    error-envelope gateway --listen 127.0.0.1:8080 --upstream {url}
    error-envelope envoy-config --policy policy.toml --listen 127.0.0.1:8080 --upstream HOST:PORT"
    );
    match framework {
        Some(framework) => steps.push(format!("This is {framework}: {front}")),
        None => steps.extend([LAYER.to_owned(), format!("In another language, {front}")]),
    }
    steps
}
