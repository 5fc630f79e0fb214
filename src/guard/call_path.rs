//! Paths that name a method of an RPC service (rule P1).

/// Whether each reading of a path (rule G0) ends with a method of a service in a package: `/pkg.Service/Method`.
///
/// The path as sent is one of its readings, so that its own last two segments must be those names. Then every other reading
/// ends with them, too: nothing in them can be decoded, cut off or merged, and nothing behind them takes them away.
pub(crate) fn names_method(path: &str) -> bool {
    let mut segments = path.rsplit('/');
    let (Some(method), Some(service), Some(_)) = (segments.next(), segments.next(), segments.next()) else {
        return false;
    };
    is_identifier(method) && service.contains('.') && service.split('.').all(is_identifier)
}

/// As protobuf has them: letters, digits and underscores, and no digit first.
fn is_identifier(text: &str) -> bool {
    let is_inside = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    text.bytes().all(is_inside) && !text.is_empty() && !text.as_bytes()[0].is_ascii_digit()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::names_method;
    use crate::guard::reading::readings;

    #[test]
    fn p1_a_package_a_service_and_a_method_are_a_call() {
        for path in [
            "/shop.v1.Orders/Add",
            "/a.B/C",
            "/_a._b/_c",
            "/prefix/a.b/C",
            "//a.b/C",
            "/x%2F../a.b/C",
            "/files/a.b/readme",
        ] {
            assert!(names_method(path), "{path}");
        }
        for path in [
            "",
            "/",
            "*",
            "a.b/C",
            "/upload",
            "/Greeter/SayHello",
            "/../upload",
            "/./upload",
            "/../a/b",
            "/x;a.b/upload",
            "/a.b/C;x",
            "/a.b/C/",
            "/a.b//C",
            "/a.b/",
            "/a.b/C/..",
            "/a.b/C%2F..",
            "/a%2eb/C",
            "/a.b/%43",
            "/a.b\\C",
            "/a.b/\\C",
            "/.a/C",
            "/a./C",
            "/a..b/C",
            "/1.b/C",
            "/a.b/1",
            "/a.b/c.d",
            "/a.b/c-d",
            "/a.ä/C",
            "/a.b/C/x",
        ] {
            assert!(!names_method(path), "{path}");
        }
    }

    proptest! {
        #[test]
        fn g0_p1_a_call_is_one_in_every_reading(
            parts in proptest::collection::vec(
                proptest::sample::select(vec![
                    "/", "/", "/", "a.B", "C", "a", ".", "..", ";x", "%2f", "%5c", "%2e", "%252e", "%3b", "%2561", "\\", "//", "/a.B/C",
                ]),
                0..12,
            ),
            call in any::<bool>(),
        ) {
            let path = format!("/{}{}", parts.concat(), if call { "/a.B/C" } else { "" });
            let Ok(readings) = readings(path.as_bytes()) else { return Ok(()) };
            let in_each = readings.iter().all(|reading| std::str::from_utf8(reading).is_ok_and(names_method));
            prop_assert_eq!(names_method(&path), in_each, "{}: {:?}", path, readings);
        }
    }
}
