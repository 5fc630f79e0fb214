//! The gateways to call: those of `--admin`, and those of a fleet's file.

use std::collections::HashMap;
use std::fmt;
use std::fs;
use std::path::Path;

use http::Uri;

use crate::failure::CommandError;
use crate::text::one_line;

/// The gateway to call if none is named.
const DEFAULT: &str = "http://127.0.0.1:9901";

/// A gateway whose mode is set.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Gateway {
    pub(super) name: Option<String>,
    pub(super) address: Uri,
}

impl Gateway {
    /// `http://HOST:PORT`.
    pub(super) fn url(&self) -> String {
        self.address.to_string().trim_end_matches('/').to_owned()
    }
}

impl fmt::Display for Gateway {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.name {
            Some(name) => f.write_str(name),
            None => f.write_str(&self.url()),
        }
    }
}

/// All gateways that the flags and the fleet's file name, each once.
pub(super) fn all_gateways(admin: &[Uri], fleet: Option<&Path>) -> Result<Vec<Gateway>, CommandError> {
    let mut gateways: Vec<Gateway> = Vec::new();
    for address in admin {
        if gateways.iter().all(|other| other.address != *address) {
            gateways.push(Gateway { name: None, address: address.clone() });
        }
    }
    let listed = fleet.map_or(Ok(Vec::new()), read_fleet)?;
    gateways.retain(|one| listed.iter().all(|other| other.address != one.address));
    gateways.extend(listed);
    if gateways.is_empty() {
        gateways.extend(address(DEFAULT).ok().map(|address| Gateway { name: None, address }));
    }
    Ok(gateways)
}

/// The gateways of a fleet's file.
fn read_fleet(file: &Path) -> Result<Vec<Gateway>, CommandError> {
    let shown = file.display();
    let text = fs::read_to_string(file).map_err(|error| CommandError::Io(format!("{shown}: {error}")))?;
    let listed = parse(&text).map_err(|wrong| {
        let lines: Vec<_> = wrong.iter().map(|(line, wrong)| format!("{shown}:{line}: {wrong}")).collect();
        CommandError::Refused(lines.join("\n"))
    })?;
    if listed.is_empty() {
        let wrong = format!("{shown}: the file lists no gateway\n = help: write one per line: NAME ADDRESS");
        return Err(CommandError::Refused(wrong));
    }
    Ok(listed)
}

/// The lines of a fleet's file, or all errors in them, by line.
fn parse(text: &str) -> Result<Vec<Gateway>, Vec<(usize, String)>> {
    let (mut gateways, mut wrong) = (Vec::new(), Vec::new());
    let mut lines: HashMap<String, usize> = HashMap::new();
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.split('#').next().unwrap_or_default();
        let words: Vec<&str> = line.split_whitespace().collect();
        let gateway = match words[..] {
            [] => continue,
            [address] => gateway(None, address),
            [name, address] => gateway(Some(name), address),
            _ => Err("the line has more than a name and an address; write NAME ADDRESS".to_owned()),
        };
        let checked = gateway.and_then(|gateway| {
            for key in [gateway.to_string(), gateway.url()] {
                if let Some(first) = lines.get(&key).filter(|first| **first != number) {
                    return Err(format!("{key} is listed twice (first on line {first}); list each gateway once"));
                }
                lines.insert(key, number);
            }
            Ok(gateway)
        });
        match checked {
            Ok(gateway) => gateways.push(gateway),
            Err(why) => wrong.push((number, why)),
        }
    }
    if wrong.is_empty() { Ok(gateways) } else { Err(wrong) }
}

fn gateway(name: Option<&str>, given: &str) -> Result<Gateway, String> {
    let address = address(given).map_err(|right| format!("{:?} is not an admin address; {right}", one_line(given)))?;
    Ok(Gateway { name: name.map(one_line), address })
}

/// An admin address, as `gateway --admin` takes it.
pub(super) fn address(given: &str) -> Result<Uri, String> {
    const RIGHT: &str = "write http://HOST:PORT, HOST:PORT, or the port alone for this machine";

    let url = match (given.parse::<u16>(), given.contains("://")) {
        (Ok(port), _) => format!("http://127.0.0.1:{port}"),
        (_, true) => given.to_owned(),
        _ => format!("http://{given}"),
    };
    let uri: Uri = url.parse().map_err(|error| format!("{error}; {RIGHT}"))?;
    let bare = matches!(uri.path_and_query().map(|path| path.as_str()), None | Some("" | "/"));
    if uri.scheme_str() == Some("http") && bare { Ok(uri) } else { Err(RIGHT.to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fleet_is_a_line_each() {
        let gateways =
            parse("# the fleet\n\norders-1 10.0.0.7:9901  # in rack 3\n9902\r\n\thttp://[::1]:9901\n").unwrap();
        let gateways: Vec<_> = gateways.iter().map(|it| (it.to_string(), it.url())).collect();
        let expected = [
            ("orders-1", "http://10.0.0.7:9901"),
            ("http://127.0.0.1:9902", "http://127.0.0.1:9902"),
            ("http://[::1]:9901", "http://[::1]:9901"),
        ];
        assert_eq!(gateways, expected.map(|(name, url)| (name.to_owned(), url.to_owned())));
    }

    #[test]
    fn all_that_is_wrong_with_a_fleet_is_told_by_line() {
        let text = "a 9901\nb 9902\na 9903\nc https://x\nd 1 2\ne 127.0.0.1:9902\n";
        let wrong = parse(text).unwrap_err();
        let right = "write http://HOST:PORT, HOST:PORT, or the port alone for this machine";
        let expected = [
            (3, "a is listed twice (first on line 1); list each gateway once".to_owned()),
            (4, format!("\"https://x\" is not an admin address; {right}")),
            (5, "the line has more than a name and an address; write NAME ADDRESS".to_owned()),
            (6, "http://127.0.0.1:9902 is listed twice (first on line 2); list each gateway once".to_owned()),
        ];
        assert_eq!(wrong, expected);
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_a_fleet_of_different_gateways_or_refused(text in "([a-z]{0,2} ?[0-9:.#/\u{202e}]{0,9}\n){0,6}|.{0,80}") {
            match parse(&text) {
                Ok(gateways) => for (at, gateway) in gateways.iter().enumerate() {
                    assert!(gateways[..at].iter().all(|other| other.address != gateway.address && other.to_string() != gateway.to_string()));
                    assert_eq!(address(&gateway.url()), Ok(gateway.address.clone()));
                },
                Err(wrong) => assert!(!wrong.is_empty() && wrong.iter().all(|(line, _)| *line <= text.lines().count())),
            }
        }
    }
}
