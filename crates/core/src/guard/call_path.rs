//! Recognises paths that name a method of an RPC service (rule P1).

use super::reading::{has_readings, readings};

/// Returns true if a path ends with `/pkg.Service/Method` in every way in which it can be read (rule G0). Such a path
/// names a method of a service in a package.
pub(crate) fn names_method(path: &str) -> bool {
    ends_with_method(path.as_bytes())
        && (!has_readings(path.as_bytes())
            || readings(path.as_bytes()).is_ok_and(|all| all.iter().all(|reading| ends_with_method(reading))))
}

fn ends_with_method(path: &[u8]) -> bool {
    let mut segments = path.rsplit(|byte| *byte == b'/');
    let (Some(method), Some(service), Some(_)) = (segments.next(), segments.next(), segments.next()) else {
        return false;
    };
    let is_in_package = service.contains(&b'.') && service.split(|byte| *byte == b'.').all(is_identifier);
    is_identifier(method) && is_in_package
}

/// Returns true if a text is an identifier of protobuf. An identifier contains letters, digits and underscores, and
/// does not begin with a digit.
fn is_identifier(text: &[u8]) -> bool {
    let is_inside = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
    text.iter().all(is_inside) && text.first().is_some_and(|first| !first.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::names_method;

    #[test]
    fn p1_a_package_a_service_and_a_method_are_a_call() {
        for path in
            ["/shop.v1.Orders/Add", "/a.B/C", "/_a._b/_c", "/prefix/a.b/C", "/x%2F../a.b/C", "/files/a.b/readme"]
        {
            assert!(names_method(path), "{path}");
        }
        for path in [
            "",
            "/",
            "*",
            "a.b/C",
            "/upload",
            "/Greeter/SayHello",
            "//a.b/C",
            "/;x/a.b/C",
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
}
