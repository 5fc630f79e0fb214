//! Secrets that can be recognised by their form: keys of services, and hashes of passwords.

/// The keys of well-known services: the prefix that the service uses, and the characters behind it.
const KEYS: [(&str, &str); 38] = [
    ("sk-", r"[A-Za-z0-9_\-]{6,}"),
    ("[spr]k_(?:live|test)_", "[A-Za-z0-9_]{8,}"),
    ("gh[pousr]_", "[A-Za-z0-9]{4,}"),
    ("github_pat_", "[A-Za-z0-9_]+"),
    ("A(?:KIA|SIA|ROA|IDA)", "[A-Z0-9]{6,}"),
    ("xox[a-z]-", r"[A-Za-z0-9_\-]+"),
    ("xapp-", r"[A-Za-z0-9_\-]+"),
    ("gl(?:pat|rt|dt|ptt|cbt|soat|ft|imt|agent|oas)-", r"[A-Za-z0-9_\-]{6,}"),
    ("AIza", r"[A-Za-z0-9_\-]{16,}"),
    ("GOCSPX-", r"[A-Za-z0-9_\-]+"),
    (r"ya29\.", r"[A-Za-z0-9_.\-]+"),
    ("npm_", "[A-Za-z0-9]{16,}"),
    ("hf_", "[A-Za-z0-9]{16,}"),
    (r"SG\.", r"[A-Za-z0-9_\-]+\.[A-Za-z0-9_\-]+"),
    ("whsec_", r"[A-Za-z0-9_+/=]+"),
    ("shp(?:at|ss|ca|pa)_", "[A-Za-z0-9_]+"),
    ("do[opr]_v1_", "[A-Za-z0-9_]+"),
    ("pypi-", r"[A-Za-z0-9_\-]{16,}"),
    ("gsk_", "[A-Za-z0-9]{16,}"),
    ("xai-", "[A-Za-z0-9_]{16,}"),
    ("nvapi-", r"[A-Za-z0-9_\-]{16,}"),
    ("glsa_", "[A-Za-z0-9_]{16,}"),
    (r"hv[sb]\.", r"[A-Za-z0-9_\-]{16,}"),
    ("dckr_pat_", r"[A-Za-z0-9_\-]+"),
    ("sbp_", "[A-Za-z0-9_]{16,}"),
    ("lin_api_", "[A-Za-z0-9_]+"),
    ("ATATT", r"[A-Za-z0-9_\-=]{16,}"),
    ("dapi", "[a-f0-9]{32}"),
    ("NRAK-", "[A-Z0-9]{16,}"),
    ("sntry[su]_", r"[A-Za-z0-9_+/=.\-]{16,}"),
    ("figd_", r"[A-Za-z0-9_\-]{16,}"),
    ("ntn_", "[A-Za-z0-9]{16,}"),
    ("tskey-", r"[A-Za-z0-9]+-[A-Za-z0-9\-]+"),
    ("pul-", "[a-f0-9]{16,}"),
    // Keys of Telegram, which come behind `bot` in URLs.
    ("(?:bot)?[0-9]{8,10}:", r"[A-Za-z0-9_\-]{30,}"),
    // Hashes of passwords by bcrypt, crypt, argon2 and PBKDF2.
    (r"\$(?:2[abxy]?|[1567]|g?y)\$", "[./A-Za-z0-9=,$]{16,}"),
    (r"\$(?:argon2|scrypt)", r"[^\s\x22'<>]{16,}"),
    (r"\$?pbkdf2[_:\-]", r"[a-z0-9_:\-]+\$[^\s\x22'<>]{16,}"),
];

/// The prefixes, for a quick check.
pub(super) fn beginnings() -> String {
    KEYS.map(|(beginning, _)| beginning).join("|")
}

/// The pattern for all of them. A prefix that begins with a sign may come right behind a letter.
pub(super) fn pattern() -> String {
    let of = |has_sign: bool| {
        let keys = KEYS.iter().filter(|(beginning, _)| beginning.starts_with('\\') == has_sign);
        keys.map(|(beginning, rest)| format!("{beginning}{rest}")).collect::<Vec<_>>().join("|")
    };
    format!(r"(?-u:\b)(?:{})|{}", of(false), of(true))
}
