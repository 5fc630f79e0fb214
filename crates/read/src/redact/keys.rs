//! Patterns for secrets that have a fixed form: keys of services, and hashes of passwords.

/// The keys of well-known services. A row contains the prefix that the service uses, the pattern of the characters
/// after it, an example of a key, and a text that is not a key.
const KEYS: [(&str, &str, &str, &str); 42] = [
    ("sk-", r"[A-Za-z0-9_\-]{6,}", "sk-proj-s3cret", "sk-learn"),
    ("[spr]k_(?:live|test)_", "[A-Za-z0-9_]{8,}", "rk_live_s3cret12", "pk_test_id"),
    ("gh[pousr]_", "[A-Za-z0-9]{4,}", "ghp_s3cretS3cret", "ghp_"),
    ("github_pat_", "[A-Za-z0-9_]+", "github_pat_s3cret", "github_path"),
    ("A(?:KIA|SIA|ROA|IDA)", "[A-Z0-9]{6,}", "AKIAIOSFODNN7EXAMPLE", "AIDA tool"),
    ("xox[a-z]-", r"[A-Za-z0-9_\-]+", "xoxb-123-abc", "xoxo"),
    ("xapp-", r"[A-Za-z0-9_\-]+", "xapp-1-s3cret", "xapplication"),
    ("gl(?:pat|rt|dt|ptt|cbt|soat|ft|imt|agent|oas)-", r"[A-Za-z0-9_\-]{6,}", "glpat-s3cret", "glpat-id"),
    ("AIza", r"[A-Za-z0-9_\-]{16,}", "AIzaSyS3cretS3cretS3cret", "AIzabel"),
    ("GOCSPX-", r"[A-Za-z0-9_\-]+", "GOCSPX-s3cret", "GOCSPX"),
    (r"ya29\.", r"[A-Za-z0-9_.\-]+", "ya29.s3cret", "ya29"),
    ("npm_", "[A-Za-z0-9]{16,}", "npm_s3cretS3cretS3cret", "npm_config_cache"),
    ("hf_", "[A-Za-z0-9]{16,}", "hf_s3cretS3cretS3cret", "hf_transfer"),
    (r"SG\.", r"[A-Za-z0-9_\-]+\.[A-Za-z0-9_\-]+", "SG.s3cret.s3cret", "SG.x"),
    ("whsec_", r"[A-Za-z0-9_+/=]+", "whsec_s3cret", "whsec"),
    ("shp(?:at|ss|ca|pa)_", "[A-Za-z0-9_]+", "shpat_s3cret", "shpat"),
    ("do[opr]_v1_", "[A-Za-z0-9_]+", "dop_v1_s3cret", "dop_v1"),
    ("pypi-", r"[A-Za-z0-9_\-]{16,}", "pypi-s3cretS3cretS3cret", "pypi-mirror"),
    ("gsk_", "[A-Za-z0-9]{16,}", "gsk_s3cretS3cretS3cret", "gsk_model"),
    ("xai-", "[A-Za-z0-9_]{16,}", "xai-s3cretS3cretS3cret", "xai-sdk"),
    ("nvapi-", r"[A-Za-z0-9_\-]{16,}", "nvapi-s3cretS3cretS3cret", "nvapi-v1"),
    ("glsa_", "[A-Za-z0-9_]{16,}", "glsa_s3cretS3cretS3cret", "glsa_id"),
    (r"hv[sb]\.", r"[A-Za-z0-9_\-]{16,}", "hvs.s3cretS3cretS3cret", "hvs.conf"),
    ("dckr_pat_", r"[A-Za-z0-9_\-]+", "dckr_pat_s3cret", "dckr_path"),
    ("sbp_", "[A-Za-z0-9_]{16,}", "sbp_s3cretS3cretS3cret", "sbp_ref"),
    ("lin_api_", "[A-Za-z0-9_]+", "lin_api_s3cret", "lin_apis"),
    ("ATATT", r"[A-Za-z0-9_\-=]{16,}", "ATATT3xS3cretS3cret-s3cret", "ATATTACK"),
    ("dapi", "[a-f0-9]{32}", "dapi0123456789abcdef0123456789abcdef", "dapi-server"),
    ("NRAK-", "[A-Z0-9]{16,}", "NRAK-S3CRETS3CRETS3CRET", "NRAK-1"),
    ("sntry[su]_", r"[A-Za-z0-9_+/=.\-]{16,}", "sntrys_s3cretS3cretS3cret", "sntrys_org"),
    ("figd_", r"[A-Za-z0-9_\-]{16,}", "figd_s3cretS3cretS3cret", "figd_file"),
    ("ntn_", "[A-Za-z0-9]{16,}", "ntn_s3cretS3cretS3cret", "ntn_page"),
    ("tskey-", r"[A-Za-z0-9]+-[A-Za-z0-9\-]+", "tskey-auth-s3cret", "tskey-auth"),
    ("sq0(?:atp|csp|idp)-", r"[A-Za-z0-9_\-]{16,}", "sq0atp-s3cretS3cretS3cret", "sq0atp-id"),
    ("PMAK-", r"[a-f0-9]{16,}[a-f0-9\-]*", "PMAK-0123456789abcdef01234567-0123", "PMAK-1"),
    ("AGE-SECRET-KEY-", "[A-Z0-9]{16,}", "AGE-SECRET-KEY-1S3CRETS3CRETS3CRET", "AGE-SECRET-KEY-1"),
    ("key-", "[a-f0-9]{32}", "key-0123456789abcdef0123456789abcdef", "key-value"),
    ("pul-", "[a-f0-9]{16,}", "pul-0123456789abcdef", "pul-stack"),
    // Keys of Telegram come after `bot` in URLs.
    ("(?:bot)?[0-9]{8,10}:", r"[A-Za-z0-9_\-]{30,}", "bot12345678:s3cretS3cretS3cretS3cretS3cret", "12345678:90"),
    // bcrypt, crypt, argon2 and PBKDF2 write hashes of passwords in this form.
    (r"\$(?:2[abxy]?|[1567]|g?y)\$", "[./A-Za-z0-9=,$]{16,}", "$2y$10$s3cretE8rsLXPEhSjV", "$1$2"),
    (r"\$(?:argon2|scrypt)", r"[^\s\x22'<>]{16,}", "$argon2id$v=19$m=65536,t=3", "$argon2id"),
    (r"\$?pbkdf2[_:\-]", r"[a-z0-9_:\-]+\$[^\s\x22'<>]{16,}", "pbkdf2_sha256$260000$s3cretS3cret", "pbkdf2-sha256"),
];

/// Returns the prefixes of all keys, as a pattern for a quick check.
pub(super) fn beginnings() -> String {
    KEYS.map(|(beginning, ..)| beginning).join("|")
}

/// Returns the pattern for all keys. A prefix that begins with a sign may directly follow a letter.
pub(super) fn pattern() -> String {
    let of = |has_sign: bool| {
        let keys = KEYS.iter().filter(|(beginning, ..)| beginning.starts_with('\\') == has_sign);
        keys.map(|(beginning, rest, ..)| format!("{beginning}{rest}")).collect::<Vec<_>>().join("|")
    };
    format!(r"(?-u:\b)(?:{})|{}", of(false), of(true))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redact::{Strictness, TAKEN, text};

    #[test]
    fn r17_each_key_is_removed_by_its_own_row_and_what_only_begins_like_it_stays() {
        for (beginning, rest, key, other) in KEYS {
            let row = regex::Regex::new(&format!("^(?:{beginning}{rest})$")).unwrap();
            assert!(row.is_match(key) && !row.is_match(other), "{beginning}");
            for strictness in [Strictness::Strict, Strictness::Readable] {
                assert_eq!(text(&format!("No {key} here."), strictness), format!("No {TAKEN} here."), "{key}");
                assert_eq!(text(&format!("No {other} here."), strictness), format!("No {other} here."), "{other}");
            }
        }
    }
}
