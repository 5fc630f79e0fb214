//! Reads `[auth.*]`: a scheme, its keys, and the files and variables that it names.

use super::document::Document;
use super::env::{MAX_FILE_BYTES, NamedFiles, PolicyEnv};
use super::read::Table;
use super::tables::{UNKNOWN_HEADER, read_version};
use super::value::Value;
#[cfg(feature = "jwt")]
use crate::guard::auth::RemoteKeys;
use crate::guard::auth::{AuthScheme, Key};
use crate::guard::mistake::Kind;
use crate::policy::error::PolicyError;
use crate::policy::suggestion::{advice_for_unknown, closest};

/// Which keys each kind of scheme may have.
const SCHEMES: [(&str, &[&str]); 5] = [
    ("bearer", &["scheme", "forward_id", "messages", "challenge", "pattern", "keys", "keys_file"]),
    ("header", &["scheme", "forward_id", "messages", "header", "pattern", "challenge", "keys", "keys_file"]),
    (
        "jwt",
        &[
            "scheme",
            "forward_id",
            "messages",
            "challenge",
            "secret_env",
            "jwks_file",
            "jwks_url",
            "timeout",
            "algorithms",
            "issuer",
            "audience",
            "leeway",
            "require_verified_email",
        ],
    ),
    ("certificate", &["scheme", "forward_id", "messages", "challenge"]),
    ("custom", &["scheme", "forward_id", "messages", "challenge", "timeout"]),
];

/// Reads one scheme. `files` reads the files that it names.
pub(super) fn read(name: &str, table: &Table<'_>, files: &mut NamedFiles<'_>) -> AuthScheme {
    let word = table.read_required("scheme", |scheme| known_or_near(scheme, table));
    refuse_foreign_keys(word.unwrap_or_default(), table);
    let read = match word {
        Some("bearer") => read_keys(AuthScheme::bearer(), table, files),
        Some("header") => {
            let header = table.read_required("header", Value::text);
            read_keys(AuthScheme::header(header.unwrap_or(UNKNOWN_HEADER)), table, files)
        }
        Some("jwt") => read_jwt(table, files),
        Some("certificate") => {
            table.keep(check_certificate_scheme(table, files.env));
            AuthScheme::certificate()
        }
        _ => {
            table.keep(check_verifier(name, table, files.env));
            AuthScheme::custom()
        }
    };
    read_shared(read, table)
}

/// The kind of the scheme. If it is misspelled, the kind that was probably meant is used for the other keys of the
/// table.
fn known_or_near(scheme: &Value<'_>, table: &Table<'_>) -> Result<&'static str, PolicyError> {
    let (written, known) = (scheme.text()?, SCHEMES.iter().map(|(name, _)| *name));
    if let Some(name) = known.clone().find(|name| *name == written) {
        return Ok(name);
    }
    let unknown = scheme
        .error(format!("unknown scheme {written:?}"), advice_for_unknown(written, known.clone()))
        .of_kind(Kind::UnknownWord);
    let Some(near) = closest(written, known) else { return Err(unknown) };
    table.keep(Err::<(), _>(unknown));
    Ok(near)
}

/// Refuses a scheme `custom` whose verifier is not registered.
fn check_verifier(name: &str, table: &Table<'_>, env: &dyn PolicyEnv) -> Result<(), PolicyError> {
    if table.get("scheme").is_some_and(|it| it.value.as_str() == Some("custom")) && !env.has_verifier(name) {
        return Err(table
            .error(format!("no verifier is registered for scheme {name:?}"), env.verifier_advice(name))
            .of_kind(Kind::Unavailable));
    }
    Ok(())
}

/// Refuses a scheme `certificate` if client certificates are not available.
fn check_certificate_scheme(table: &Table<'_>, env: &dyn PolicyEnv) -> Result<(), PolicyError> {
    match (env.certificate_advice(), table.get("scheme")) {
        (Some(advice), Some(scheme)) => {
            Err(scheme.error("scheme \"certificate\" is not available here", advice).of_kind(Kind::Unavailable))
        }
        _ => Ok(()),
    }
}

/// Refuses keys that other kinds of schemes have, and unknown keys.
fn refuse_foreign_keys(scheme: &str, table: &Table<'_>) {
    let Some((_, own)) = SCHEMES.iter().find(|(name, _)| *name == scheme) else { return };
    let mut known = own.to_vec();
    for key in SCHEMES.iter().flat_map(|(_, keys)| *keys) {
        if known.contains(key) || table.get(key).is_none() {
            continue;
        }
        known.push(key);
        let theirs = SCHEMES.iter().filter(|(_, keys)| keys.contains(key)).map(|(name, _)| format!("{name:?}"));
        let theirs = theirs.collect::<Vec<_>>().join(" or ");
        let wrong = format!("the key {key} does not apply to scheme {scheme:?}");
        let right = format!("remove it: it applies to scheme {theirs}");
        table.refuse_key(key, wrong, right);
    }
    table.only_unquoted(&known, &format!("the choices are {}", own.join(", ")));
}

fn read_shared(scheme: AuthScheme, table: &Table<'_>) -> AuthScheme {
    let scheme = table.set(scheme, "forward_id", Value::text, AuthScheme::forward_id);
    let scheme = table.set(scheme, "challenge", Value::text, AuthScheme::challenge);
    let scheme = table.set(scheme, "timeout", Value::duration, AuthScheme::timeout);
    let Some(messages) = table.table("messages") else { return scheme };
    messages.refuse_all_except(&["missing", "malformed", "invalid", "expired", "no_email", "unavailable"]);
    let scheme = messages.set(scheme, "missing", Value::owned, AuthScheme::missing);
    let scheme = messages.set(scheme, "malformed", Value::owned, AuthScheme::malformed);
    let scheme = messages.set(scheme, "invalid", Value::owned, AuthScheme::invalid);
    let scheme = messages.set(scheme, "expired", Value::owned, AuthScheme::expired);
    let scheme = messages.set(scheme, "no_email", Value::owned, AuthScheme::no_email);
    messages.set(scheme, "unavailable", Value::owned, AuthScheme::unavailable)
}

fn read_keys(scheme: AuthScheme, table: &Table<'_>, files: &mut NamedFiles<'_>) -> AuthScheme {
    let scheme = table.set(scheme, "pattern", Value::text, AuthScheme::pattern);
    let mut keys = table.read("keys", keys_of).unwrap_or_default();
    if let Some((path, text)) = table.read("keys_file", |file| files.read(file, MAX_FILE_BYTES)) {
        let document = Document::parse(&path, &text, table.mistakes(), table.known());
        document.report_syntax();
        keys.extend(keys_of_file(&document.root()));
    }
    keys.into_iter().fold(scheme, AuthScheme::key)
}

fn keys_of_file(root: &Table<'_>) -> Vec<Key> {
    root.only_unquoted(&["version", "keys"], "write keys = [{ id = \"…\", sha256 = \"…\" }]");
    if root.get("version").is_some() && !read_version(root) {
        return Vec::new();
    }
    root.read_required("keys", keys_of).unwrap_or_default()
}

fn keys_of(keys: &Value<'_>) -> Result<Vec<Key>, PolicyError> {
    let right = "write a list of { id = \"…\", sha256 = \"…\" }";
    if !keys.value.is_array() {
        return Err(keys.error("keys is not a list", right));
    }
    let tables = keys.elements()?.into_iter().map(|key| key.table("write { id = \"…\", sha256 = \"…\" }"));
    Ok(tables.filter_map(|table| keys.document.keep(table)).map(|table| read_key(&table)).collect())
}

fn read_digest<'a>(digest: &Value<'a>) -> Result<&'a str, PolicyError> {
    let is_digest = |text: &str| text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    if !is_digest(digest.text()?) {
        let right = "write the key's SHA-256 as 64 hexadecimal digits; a policy holds hashes, never the key itself";
        return Err(digest.error("this is not a SHA-256 hash", right));
    }
    digest.text()
}

fn read_key(table: &Table<'_>) -> Key {
    table.only_unquoted(&["id", "sha256", "revoked", "expires"], "write { id = \"…\", sha256 = \"…\" }");
    let digest = table.read_required("sha256", read_digest);
    let id = table.read_required("id", Value::text);
    let key = Key::sha256(id.unwrap_or_default(), digest.unwrap_or_default());
    let revoke = |key: Key, is_revoked| if is_revoked { key.revoked() } else { key };
    let key = table.set(key, "revoked", Value::boolean, revoke);
    table.set(key, "expires", Value::instant, Key::expires)
}

#[cfg(feature = "jwt")]
fn read_jwt(table: &Table<'_>, files: &mut NamedFiles<'_>) -> AuthScheme {
    use crate::guard::auth::JwtKeys;

    let keys = match (table.get("secret_env"), table.get("jwks_file"), table.get("jwks_url")) {
        (Some(variable), None, None) => read_secret(&variable, files.env).map(JwtKeys::secret),
        (None, Some(file), None) => files.read(&file, MAX_FILE_BYTES).map(|(_, text)| JwtKeys::jwks(text)),
        (None, None, Some(url)) => read_url(&url, files.env).map(JwtKeys::remote),
        (Some(_), Some(other), None) => {
            Err(other.error("secret_env and jwks_file are mutually exclusive", ONE_OF_THEM).of_kind(Kind::Conflict))
        }
        (Some(_), _, Some(other)) => {
            Err(other.error("secret_env and jwks_url are mutually exclusive", ONE_OF_THEM).of_kind(Kind::Conflict))
        }
        (None, Some(_), Some(other)) => {
            Err(other.error("jwks_file and jwks_url are mutually exclusive", ONE_OF_THEM).of_kind(Kind::Conflict))
        }
        // Takes the place of a key whose mistake was already reported. Without it, `algorithms` would be refused as
        // well.
        (None, None, None) if ["jwks_file", "jwks_url"].iter().any(|key| table.is_known(key)) => {
            Ok(JwtKeys::remote(RemoteKeys::never_fetched(UNKNOWN_KEYS)))
        }
        (None, None, None) if table.is_known("secret_env") => Ok(JwtKeys::secret(UNKNOWN_SECRET)),
        (None, None, None) => {
            let right = "set one of them: secret_env = \"…\", jwks_file = \"…\" or jwks_url = \"…\"";
            Err(table.error("the scheme has neither a secret nor a key set", right).of_kind(Kind::MissingKey))
        }
    };
    let scheme = AuthScheme::jwt(table.keep(keys).unwrap_or_else(|| JwtKeys::secret(UNKNOWN_SECRET)));
    let algorithms = table.read_required("algorithms", read_algorithms);
    let scheme = scheme.algorithms(algorithms.unwrap_or_else(|| vec!["HS256".to_owned()]));
    let scheme = table.set(scheme, "issuer", Value::text, AuthScheme::issuer);
    let audiences = table.read("audience", Value::text_or_texts).unwrap_or_default();
    let scheme = audiences.into_iter().fold(scheme, AuthScheme::audience);
    let scheme = table.set(scheme, "leeway", Value::duration, AuthScheme::leeway);
    table.set(scheme, "require_verified_email", Value::boolean, AuthScheme::require_verified_email)
}

/// Takes the place of a wrong secret, so that other mistakes in the table are found as well. No policy is built with
/// it.
#[cfg(feature = "jwt")]
const UNKNOWN_SECRET: &str = "stands for a secret that is wrong; as long as the longest asks for";

/// Takes the place of public keys whose file or URL is wrong.
#[cfg(feature = "jwt")]
const UNKNOWN_KEYS: &str = "https://unknown.invalid/";

#[cfg(feature = "jwt")]
const ONE_OF_THEM: &str = "keep one of them";

#[cfg(feature = "jwt")]
fn read_url(url: &Value<'_>, env: &dyn PolicyEnv) -> Result<RemoteKeys, PolicyError> {
    env.remote_keys(url.text()?)
        .map_err(|advice| url.error("this program does not fetch key sets", advice).of_kind(Kind::Unavailable))
}

/// Reads a secret from a variable. A text that is not the name of a variable may be the secret itself, so it is never
/// quoted (L3).
#[cfg(feature = "jwt")]
fn read_secret(variable: &Value<'_>, env: &dyn PolicyEnv) -> Result<String, PolicyError> {
    let name = variable.text()?;
    match env.variable(name) {
        Some(secret) if !secret.is_empty() => return Ok(secret),
        Some(_) => {
            return Err(variable
                .error("the environment variable is empty", "set it to the secret")
                .of_kind(Kind::Unavailable));
        }
        None => {}
    }
    if name.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_') {
        return Err(variable
            .error(format!("there is no environment variable {name:?}"), "set it to the secret")
            .of_kind(Kind::Unavailable));
    }
    let right = "write the name of the variable that has the secret, as in \"JWT_SECRET\"; a policy never has the \
                 secret itself";
    Err(variable.error("there is no such environment variable", right).of_kind(Kind::Unavailable))
}

/// Reads the algorithms of tokens. The builder refuses `none`, and those that do not fit the keys.
#[cfg(feature = "jwt")]
fn read_algorithms(list: &Value<'_>) -> Result<Vec<String>, PolicyError> {
    const KNOWN: [&str; 12] =
        ["HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA"];
    list.each(|element| {
        let name = element.text()?;
        if !KNOWN.contains(&name) && !name.eq_ignore_ascii_case("none") {
            return Err(element
                .error(format!("unknown algorithm {name:?}"), advice_for_unknown(name, KNOWN.into_iter()))
                .of_kind(Kind::UnknownWord));
        }
        Ok(name.to_owned())
    })
}

#[cfg(not(feature = "jwt"))]
fn read_jwt(table: &Table<'_>, _: &mut NamedFiles<'_>) -> AuthScheme {
    let right = "build with the feature \"jwt\" of tower-error-envelope";
    table.refuse_key("scheme", "session tokens are not part of this build", right);
    AuthScheme::custom()
}
