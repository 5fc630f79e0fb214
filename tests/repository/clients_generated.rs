//! Tests that the clients of other languages know the codes of the catalogue. `UPDATE_EXPORTS=1` rewrites their files.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use http::StatusCode;
use tower_error_envelope::ErrorCode;

#[test]
fn typescript_knows_the_codes_of_statuses() {
    let mut text =
        "// Made from the catalogue: do not edit.\n\nimport type { KnownErrorCode } from \"./errors.js\";\n\n\
                    /** The code of a status that nobody named one for. */\n\
                    export const CODE_OF_STATUS: Readonly<Record<number, KnownErrorCode>> = {\n"
            .to_owned();
    for (status, code) in statuses() {
        writeln!(text, "  {status}: \"{code}\",").unwrap();
    }
    text.push_str("};\n");
    hold("clients/typescript/src/statuses.ts", &text);
}

#[test]
fn python_knows_the_codes_and_those_of_statuses() {
    const FILE: &str = "clients/python/src/error_envelope/__init__.py";
    const BEGIN: &str = "# --- made from the catalogue: do not edit\n";
    const END: &str = "# --- the end of what is made\n";

    let mut made = "ERROR_CODES: Final[Mapping[str, Advice]] = {\n".to_owned();
    let mut group = None;
    for code in ErrorCode::ALL {
        if group != code.group() {
            group = code.group();
            writeln!(made, "    # {}", group.unwrap_or_default()).unwrap();
        }
        let (status, retry) = (code.status().as_u16(), code.retry().as_str());
        writeln!(made, "    \"{code}\": Advice({status}, \"{retry}\", {:?}),", code.message()).unwrap();
    }
    made.push_str("}\n\nCODE_OF_STATUS: Final[Mapping[int, str]] = {\n");
    for (status, code) in statuses() {
        writeln!(made, "    {status}: \"{code}\",").unwrap();
    }
    made.push_str("}\n");
    let text = fs::read_to_string(root().join(FILE)).unwrap();
    let (before, rest) = text.split_once(BEGIN).expect("where it begins is marked");
    let (_, after) = rest.split_once(END).expect("where it ends is marked");
    hold(FILE, &format!("{before}{BEGIN}{made}{END}{after}"));
}

/// Returns the statuses that differ from the values of every 4xx and every 5xx.
fn statuses() -> Vec<(u16, ErrorCode)> {
    let of = |status: u16| ErrorCode::of_status(StatusCode::from_u16(status).unwrap());
    let rest = |status| if status < 500 { ErrorCode::BAD_REQUEST } else { ErrorCode::INTERNAL_ERROR };
    (400..600).map(|status| (status, of(status))).filter(|(status, code)| *code != rest(*status)).collect()
}

fn hold(name: &str, wanted: &str) {
    let path = root().join(name);
    if std::env::var_os("UPDATE_EXPORTS").is_some() {
        fs::write(&path, wanted).unwrap();
    }
    let have = fs::read_to_string(&path).unwrap_or_default();
    assert!(have == wanted, "{name} is not what the catalogue says: UPDATE_EXPORTS=1 writes it anew");
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
