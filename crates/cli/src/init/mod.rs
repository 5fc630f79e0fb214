//! `error-envelope init`: a first policy, from nothing or from an OpenAPI document.
//!
//! 1. The document is read ([`DocumentFile`], [`mod@openapi`]): its operations, what they decode, and the errors
//!    that they declare.
//! 2. Each operation is a `[[route]]` ([`routes`]). Facts that a policy cannot express, such as its callers, are
//!    comments.
//! 3. The output is read back as the layer would; a route that would be refused is a comment, with the reason.

mod openapi;
mod routes;

use std::collections::HashMap;
use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use tower_error_envelope::PolicyError;
use tower_error_envelope::policy::PolicyLoader;

use self::routes::Block;
use crate::failure::{CommandError, print};
use crate::openapi::DocumentFile;
use crate::text::{counted, one_line};

/// Generate a first policy file
///
/// Without an OpenAPI document, the file shows every table with a comment. With a document, it contains the document's
/// routes and body limits. The policy starts in mode `observe`, which changes no response.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Read the routes from this OpenAPI 3.0 or 3.1 document, JSON or YAML
    #[arg(long, value_name = "FILE")]
    openapi: Option<PathBuf>,
    /// Write to this new file; an existing file is never overwritten [default: standard output]
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
}

const FROM_NOTHING: &str = include_str!("policy.toml");

const HEAD: &str = "\
#:schema ./policy.schema.json
version = 1

[defaults]
mode = \"observe\"   # changes no response, and logs what \"enforce\" would do
";

/// Writes to standard output, or to the file that was named.
pub(crate) fn run(args: &Args) -> Result<(), CommandError> {
    let text = match &args.openapi {
        None => FROM_NOTHING.to_owned(),
        Some(path) => policy_for(&DocumentFile::read(path)?, path),
    };
    match &args.output {
        None => print(&text),
        Some(path) => {
            write_file(path, &text)?;
            let routes = text.lines().filter(|line| line.trim_end() == "[[route]]").count();
            let routes = if routes == 0 { String::new() } else { format!(" with {}", counted(routes, "route")) };
            print(&format!("wrote {}: a policy in mode observe{routes}\n", path.display()))
        }
    }
}

/// The text of a policy for a document. It is always valid: routes that would make it invalid are commented out.
fn policy_for(document: &DocumentFile, path: &Path) -> String {
    let mut blocks = routes::blocks(document);
    let text = policy_text(document, path, &blocks);
    if PolicyLoader::new().parse("policy.toml", &text).is_ok() {
        return text;
    }
    refuse_alone_or_beside_its_twin(&mut blocks);
    loop {
        let text = policy_text(document, path, &blocks);
        let Err(error) = PolicyLoader::new().parse("policy.toml", &text) else { return text };
        // Routes are removed one at a time: the next error may have another cause.
        let Some(block) = block_at_error(&mut blocks, &text, &error) else { return FROM_NOTHING.to_owned() };
        block.refuse(reason(&error));
    }
}

/// Nearly all refused routes are refused by themselves, or because another route matches the same requests. A policy
/// with only these one or two routes shows it, so that a large document need not be read again for each mistake.
fn refuse_alone_or_beside_its_twin(blocks: &mut [Block]) {
    let mut first_of: HashMap<String, usize> = HashMap::new();
    for at in 0..blocks.len() {
        let twin = first_of.get(&blocks[at].shape()).map(|first| blocks[*first].to_text()).unwrap_or_default();
        let text = format!("{HEAD}\n{twin}\n{}", blocks[at].to_text());
        match PolicyLoader::new().parse("policy.toml", &text) {
            Ok(_) => drop(first_of.entry(blocks[at].shape()).or_insert(at)),
            Err(error) => blocks[at].refuse(reason(&error)),
        }
    }
}

/// The error's text, without the line number of another route, because the output has other line numbers.
fn reason(error: &PolicyError) -> String {
    let wrong = error.wrong().to_string();
    let wrong = match wrong.rsplit_once(" (line ") {
        Some((what, line)) if line.trim_end_matches(')').bytes().all(|byte| byte.is_ascii_digit()) => what.to_owned(),
        _ => wrong,
    };
    format!("{wrong}; {}", error.advice())
}

fn policy_text(document: &DocumentFile, path: &Path, blocks: &[Block]) -> String {
    let name = path.file_name().unwrap_or_default();
    let title = document.title().map(|title| format!(", {title}")).unwrap_or_default();
    let origin = format!("# From {}{title}.", one_line(&name.to_string_lossy()));
    // The editor tool taplo finds the schema's line anywhere in the first comments.
    let mut text = HEAD.replacen('\n', &format!("\n{origin}\n"), 1);
    if blocks.is_empty() {
        text += "\n# The document has no operations.\n";
    }
    for block in blocks {
        text.push('\n');
        text.push_str(&block.to_text());
    }
    text
}

/// The route at the line of an error.
fn block_at_error<'b>(blocks: &'b mut [Block], text: &str, error: &PolicyError) -> Option<&'b mut Block> {
    let line = error.line()?;
    let heads = text.lines().take(line).filter(|line| *line == "[[route]]").count();
    blocks.iter_mut().filter(|block| block.is_active()).nth(heads.checked_sub(1)?)
}

/// Writes the whole file or nothing, and never overwrites a file.
fn write_file(path: &Path, text: &str) -> Result<(), CommandError> {
    let failed = |error: std::io::Error| {
        let what = match error.kind() {
            std::io::ErrorKind::AlreadyExists => "the file already exists; name another file, or remove it".to_owned(),
            _ => format!("cannot be written: {error}; name a file in a writable folder"),
        };
        CommandError::Io(format!("{}: {what}", path.display()))
    };
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // Only the owner may read a temporary file. The service must be able to read a policy, as far as the umask allows.
    let for_others = fs::Permissions::from_mode(0o666);
    let mut file = tempfile::Builder::new().permissions(for_others).tempfile_in(folder).map_err(failed)?;
    file.write_all(text.as_bytes()).map_err(failed)?;
    file.as_file().sync_all().map_err(failed)?;
    file.persist_noclobber(path).map_err(|error| failed(error.error))?;
    Ok(())
}

#[cfg(test)]
mod tests;
