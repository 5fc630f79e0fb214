//! `error-envelope init` writes a first policy, which shows the most common tables as comments.

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::failure::{CommandError, print};

/// Generate a first policy file
///
/// The file shows the most common tables with comments. The policy starts in mode `observe`, in which the service's
/// errors pass unchanged.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Write to this new file; an existing file is never overwritten [default: standard output]
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
}

const FIRST_POLICY: &str = include_str!("init/policy.toml");

/// Writes the policy to standard output, or to the named file.
pub(crate) fn run(args: &Args) -> Result<(), CommandError> {
    let Some(path) = &args.output else { return print(FIRST_POLICY) };
    write_file(path, FIRST_POLICY)?;
    print(&format!("wrote {}: a policy in mode observe\n", path.display()))
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
    // By default, only the owner may read a temporary file. But the service must be able to read the policy, so the
    // file gets the usual permissions, which the umask limits.
    let for_others = fs::Permissions::from_mode(0o666);
    let mut file = tempfile::Builder::new().permissions(for_others).tempfile_in(folder).map_err(failed)?;
    file.write_all(text.as_bytes()).map_err(failed)?;
    file.as_file().sync_all().map_err(failed)?;
    file.persist_noclobber(path).map_err(|error| failed(error.error))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use tower_error_envelope::policy::PolicyLoader;

    use super::*;

    #[track_caller]
    fn is_right(text: &str) {
        PolicyLoader::new().parse("policy.toml", text).unwrap_or_else(|error| panic!("{error}\n{text}"));
    }

    #[test]
    fn others_may_read_what_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let (path, plain) = (folder.path().join("policy.toml"), folder.path().join("plain"));
        write_file(&path, "a").unwrap();
        fs::write(&plain, "a").unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode();
        assert_eq!(mode(&path), mode(&plain), "as any file under this umask");
    }

    #[test]
    fn the_first_policy_is_right_with_and_without_its_comments() {
        is_right(FIRST_POLICY);
        let digits = "0".repeat(64);
        let bare: Vec<&str> = FIRST_POLICY.lines().map(|line| line.strip_prefix("# ").unwrap_or(line)).collect();
        let is_toml = |line: &&&str| {
            line.contains(" = ") && !line.contains(": ") || line.starts_with('[') || line.starts_with("keys")
        };
        let text = bare.iter().filter(is_toml).map(|line| format!("{line}\n")).collect::<String>();
        is_right(&text.replace("…64 hex digits…", &digits));
        assert!(text.contains("[[map]]") && text.contains("body_limit") && text.contains("sha256"), "{text}");
    }

    #[test]
    fn a_file_that_is_there_stays_and_nothing_else_is_left() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("policy.toml");
        write_file(&path, "a").unwrap();
        let Err(CommandError::Io(why)) = write_file(&path, "b") else { panic!("overwritten") };
        assert!(why.contains("already exists"), "{why}");
        assert_eq!(fs::read_to_string(&path).unwrap(), "a");
        let Err(CommandError::Io(why)) = write_file(&folder.path().join("none/policy.toml"), "b") else {
            panic!("written")
        };
        assert!(why.contains("cannot be written"), "{why}");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
