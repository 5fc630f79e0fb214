//! `[auth.*]`: a scheme, its keys, and the files and variables that it names.

use std::path::Path;

use super::around::{NamedFile, PolicyEnv};
use super::document::Document;
use super::read::Table;
use super::tables::read_version;
use super::value::{Value, nearest};
use crate::guard::auth::{AuthScheme, Key};
use crate::policy::error::PolicyError;

/// The keys that each scheme has.
const SCHEMES: [(&str, &[&str]); 4] = [
    ("bearer", &["scheme", "forward_id", "messages", "pattern", "keys", "keys_file"]),
    ("header", &["scheme", "forward_id", "messages", "header", "pattern", "challenge", "keys", "keys_file"]),
    (
        "jwt",
        &[
            "scheme",
            "forward_id",
            "messages",
            "secret_env",
            "jwks_file",
            "algorithms",
            "issuer",
            "audience",
            "leeway",
            "require_verified_email",
        ],
    ),
    ("custom", &["scheme", "forward_id", "messages", "challenge", "timeout"]),
];

/// Reads one scheme. Relative file names are relative to `folder`; the files that are read are added to `files`.
pub(super) fn read(
    name: &str,
    table: &Table<'_>,
    folder: &Path,
    around: &dyn PolicyEnv,
    files: &mut Vec<NamedFile>,
) -> Result<AuthScheme, PolicyError> {
    let scheme = table.required("scheme")?;
    only_its_own(scheme.text()?, table)?;
    let read = match scheme.text()? {
        "bearer" => read_keys(AuthScheme::bearer(), table, folder, around, files)?,
        "header" => read_keys(AuthScheme::header(table.required("header")?.text()?), table, folder, around, files)?,
        "jwt" => read_jwt(table, folder, around, files)?,
        "custom" => {
            if !around.has_verifier(name) {
                let wrong = format!("no verifier is registered for scheme {name:?}");
                return Err(table.error(wrong, around.instead_of_verifier(name)));
            }
            AuthScheme::custom()
        }
        unknown => {
            let right = nearest(unknown, SCHEMES.iter().map(|(name, _)| *name));
            return Err(scheme.error(format!("unknown scheme {unknown:?}"), right));
        }
    };
    read_shared(read, table)
}

/// Refuses keys that are another scheme's, and keys that are nobody's.
fn only_its_own(scheme: &str, table: &Table<'_>) -> Result<(), PolicyError> {
    let Some((_, own)) = SCHEMES.iter().find(|(name, _)| *name == scheme) else { return Ok(()) };
    for (_, keys) in SCHEMES {
        let Some(key) = keys.iter().find(|key| !own.contains(key) && table.get(key).is_some()) else { continue };
        let theirs = SCHEMES.iter().filter(|(_, keys)| keys.contains(key)).map(|(name, _)| format!("{name:?}"));
        let theirs = theirs.collect::<Vec<_>>().join(" or ");
        let wrong = format!("the key {key} does not apply to scheme {scheme:?}");
        return Err(table.refused_key(key, wrong, format!("remove it: it applies to scheme {theirs}")));
    }
    table.only_unquoted(own, &format!("known are {}", own.join(", ")))
}

fn read_shared(mut scheme: AuthScheme, table: &Table<'_>) -> Result<AuthScheme, PolicyError> {
    if let Some(header) = table.get("forward_id") {
        scheme = scheme.forward_id(header.text()?);
    }
    if let Some(challenge) = table.get("challenge") {
        scheme = scheme.challenge(challenge.text()?);
    }
    if let Some(timeout) = table.get("timeout") {
        scheme = scheme.timeout(timeout.duration()?);
    }
    let Some(messages) = table.table("messages")? else { return Ok(scheme) };
    messages.only(&["missing", "malformed", "invalid", "expired", "no_email", "unavailable"])?;
    let texts: [(&str, SetText); 6] = [
        ("missing", AuthScheme::missing),
        ("malformed", AuthScheme::malformed),
        ("invalid", AuthScheme::invalid),
        ("expired", AuthScheme::expired),
        ("no_email", AuthScheme::no_email),
        ("unavailable", AuthScheme::unavailable),
    ];
    for (key, set) in texts {
        if let Some(text) = messages.get(key) {
            scheme = set(scheme, text.text()?.to_owned());
        }
    }
    Ok(scheme)
}

type SetText = fn(AuthScheme, String) -> AuthScheme;

fn read_keys(
    mut scheme: AuthScheme,
    table: &Table<'_>,
    folder: &Path,
    around: &dyn PolicyEnv,
    files: &mut Vec<NamedFile>,
) -> Result<AuthScheme, PolicyError> {
    if let Some(pattern) = table.get("pattern") {
        scheme = scheme.pattern(pattern.text()?);
    }
    if let Some(keys) = table.get("keys") {
        scheme = add_keys(scheme, &keys)?;
    }
    let Some(file) = table.get("keys_file") else { return Ok(scheme) };
    let (path, text) = read_named(&file, folder, around, files)?;
    let document = Document::parse(&path, &text)?;
    document.root().only_unquoted(&["version", "keys"], "write keys = [{ id = \"…\", sha256 = \"…\" }]")?;
    if document.root().get("version").is_some() {
        read_version(&document.root())?;
    }
    add_keys(scheme, &document.root().required("keys")?)
}

fn add_keys(mut scheme: AuthScheme, keys: &Value<'_>) -> Result<AuthScheme, PolicyError> {
    let right = "write a list of { id = \"…\", sha256 = \"…\" }";
    if !keys.value.is_array() {
        return Err(keys.error("keys is not a list", right));
    }
    for key in keys.elements()? {
        scheme = scheme.key(read_key(&key.table("write { id = \"…\", sha256 = \"…\" }")?)?);
    }
    Ok(scheme)
}

fn read_key(table: &Table<'_>) -> Result<Key, PolicyError> {
    table.only_unquoted(&["id", "sha256", "revoked", "expires"], "write { id = \"…\", sha256 = \"…\" }")?;
    let digest = table.required("sha256")?;
    let is_digest = |text: &str| text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    if !is_digest(digest.text()?) {
        let right = "write the key's SHA-256 as 64 hexadecimal digits; a policy holds hashes, never the key itself";
        return Err(digest.error("this is not a SHA-256 hash", right));
    }
    let mut key = Key::sha256(table.required("id")?.text()?, digest.text()?);
    if let Some(revoked) = table.get("revoked")
        && revoked.boolean()?
    {
        key = key.revoked();
    }
    if let Some(expires) = table.get("expires") {
        key = key.expires(expires.instant()?);
    }
    Ok(key)
}

#[cfg(feature = "jwt")]
fn read_jwt(
    table: &Table<'_>,
    folder: &Path,
    around: &dyn PolicyEnv,
    files: &mut Vec<NamedFile>,
) -> Result<AuthScheme, PolicyError> {
    use crate::guard::auth::JwtKeys;

    let keys = match (table.get("secret_env"), table.get("jwks_file")) {
        (Some(variable), None) => JwtKeys::secret(read_secret(&variable, around)?),
        (None, Some(file)) => JwtKeys::jwks(read_named(&file, folder, around, files)?.1),
        (Some(_), Some(file)) => {
            return Err(file.error("secret_env and jwks_file exclude each other", "keep one of them"));
        }
        (None, None) => {
            let right = "name one: secret_env = \"…\" or jwks_file = \"…\"";
            return Err(table.error("the scheme has neither a secret nor a key set", right));
        }
    };
    let mut scheme = AuthScheme::jwt(keys).algorithms(read_algorithms(&table.required("algorithms")?)?);
    if let Some(issuer) = table.get("issuer") {
        scheme = scheme.issuer(issuer.text()?);
    }
    for audience in table.get("audience").map_or(Ok(Vec::new()), |audience| audience.text_or_texts())? {
        scheme = scheme.audience(audience);
    }
    if let Some(leeway) = table.get("leeway") {
        scheme = scheme.leeway(leeway.duration()?);
    }
    if let Some(required) = table.get("require_verified_email") {
        scheme = scheme.require_verified_email(required.boolean()?);
    }
    Ok(scheme)
}

/// What is no name of a variable may be the secret itself, and is never quoted (L3).
#[cfg(feature = "jwt")]
fn read_secret(variable: &Value<'_>, around: &dyn PolicyEnv) -> Result<String, PolicyError> {
    let name = variable.text()?;
    match around.variable(name) {
        Some(secret) if !secret.is_empty() => return Ok(secret),
        Some(_) => return Err(variable.error("the variable is empty", "set it to the secret")),
        None => {}
    }
    if name.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_') {
        return Err(variable.error(format!("there is no environment variable {name:?}"), "set it to the secret"));
    }
    let right = "name the variable that holds the secret, as in \"JWT_SECRET\"; a policy never holds the secret itself";
    Err(variable.error("there is no such environment variable", right))
}

/// What a token may be signed with; the builder refuses `none` and what does not fit the keys.
#[cfg(feature = "jwt")]
fn read_algorithms(list: &Value<'_>) -> Result<Vec<String>, PolicyError> {
    const KNOWN: [&str; 12] =
        ["HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA"];
    for element in list.elements()? {
        let name = element.text()?;
        if !KNOWN.contains(&name) && !name.eq_ignore_ascii_case("none") {
            return Err(element.error(format!("unknown algorithm {name:?}"), nearest(name, KNOWN.into_iter())));
        }
    }
    list.texts()
}

#[cfg(not(feature = "jwt"))]
fn read_jwt(table: &Table<'_>, _: &Path, _: &dyn PolicyEnv, _: &mut Vec<NamedFile>) -> Result<AuthScheme, PolicyError> {
    let right = "build with the feature \"jwt\" of tower-error-envelope";
    Err(table.refused_key("scheme", "session tokens are not part of this build", right))
}

/// The name and the text of a file that a value names.
pub(super) fn read_named(
    file: &Value<'_>,
    folder: &Path,
    around: &dyn PolicyEnv,
    files: &mut Vec<NamedFile>,
) -> Result<(String, String), PolicyError> {
    let path = folder.join(file.text()?);
    let name = path.display().to_string();
    let text = around.text_of(&path).map_err(|error| {
        let wrong = format!("{name} {}", error.wrong());
        file.error(wrong, "name a readable file of at most 4 MiB of UTF-8").without(&path).caused_by(error)
    })?;
    files.push(NamedFile { path, text: text.clone() });
    Ok((name, text))
}
