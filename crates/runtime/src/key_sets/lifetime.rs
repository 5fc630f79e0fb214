//! Computes how long a fetched key set stays fresh, from the headers of the provider's response (RFC 9111 §4.2, §5.3)
//! and within fixed limits.

use std::time::{Duration, SystemTime};

use http::HeaderMap;
use http::header::{AGE, CACHE_CONTROL, DATE, EXPIRES, HeaderName};

/// The shortest lifetime of a set. Providers do not change their keys more often, and some always send `max-age=0`.
const SHORTEST: Duration = Duration::from_secs(5 * 60);
/// The longest lifetime of a set. A key that the provider has withdrawn is trusted for at most this time.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);
const USUAL: Duration = Duration::from_secs(60 * 60);

/// Returns the time after which a set must be fetched again, counted from the response.
pub(super) fn lifetime(headers: &HeaderMap, now: SystemTime) -> Duration {
    let stated = max_age(headers).or_else(|| until_expiry(headers, now));
    stated.map_or(USUAL, |stated| stated.clamp(SHORTEST, LONGEST))
}

fn max_age(headers: &HeaderMap) -> Option<Duration> {
    let lines = headers.get_all(CACHE_CONTROL).iter().filter_map(|line| line.to_str().ok());
    let directives = lines.flat_map(|line| line.split(',')).map(|directive| directive.trim().to_ascii_lowercase());
    let ages = directives.filter_map(|directive| match directive.split_once('=') {
        None if directive == "no-store" || directive == "no-cache" => Some(0),
        Some(("max-age", seconds)) => self::seconds(seconds.trim_matches('"')),
        _ => None,
    });
    let spent = text(headers, &AGE).and_then(seconds).unwrap_or(0);
    ages.min().map(|age| Duration::from_secs(age.saturating_sub(spent)))
}

/// Parses a number of seconds. A number that is too large for a `u64` becomes the largest `u64` (RFC 9111 §1.2.2).
fn seconds(digits: &str) -> Option<u64> {
    let are_digits = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    are_digits.then(|| digits.parse().unwrap_or(u64::MAX))
}

/// Returns the time until the date in the header `expires`. An invalid date is treated as a past date (RFC 9111 §5.3).
fn until_expiry(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let date = |name| text(headers, name).and_then(|date| httpdate::parse_http_date(date).ok());
    headers.get(EXPIRES)?;
    let left = date(&EXPIRES).and_then(|expires| expires.duration_since(date(&DATE).unwrap_or(now)).ok());
    Some(left.unwrap_or_default())
}

fn text<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h str> {
    headers.get(name)?.to_str().ok()
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use http::HeaderValue;

    use super::*;

    /// The current time in the tests, in seconds since the Unix epoch: Sun, 06 Nov 1994 08:49:37 GMT.
    const NOW: u64 = 784_111_777;

    fn of(lines: &[(&'static str, &'static str)]) -> u64 {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, HeaderValue::from_static(value));
        }
        lifetime(&headers, UNIX_EPOCH + Duration::from_secs(NOW)).as_secs()
    }

    #[test]
    fn g2_a_set_is_fetched_as_its_headers_say_within_bounds() {
        for (lines, seconds) in [
            (&[][..], 3600),
            (&[("cache-control", "public, max-age=600, must-revalidate")], 600),
            (&[("cache-control", "public"), ("cache-control", "Max-Age=\"601\"")], 601),
            (&[("cache-control", "max-age=1200"), ("age", "300")], 900),
            (&[("cache-control", "max-age=1200"), ("age", "5000")], 300),
            (&[("cache-control", "max-age=0")], 300),
            (&[("cache-control", "no-store")], 300),
            (&[("cache-control", "max-age=7200, no-cache")], 300),
            (&[("cache-control", "max-age=31536000, immutable")], 86_400),
            (&[("cache-control", "max-age=99999999999999999999999999")], 86_400),
            (&[("cache-control", "max-age=-1")], 3600),
            (&[("cache-control", "max-age=")], 3600),
            (&[("cache-control", "public, s-maxage=60")], 3600),
            (&[("expires", "Sun, 06 Nov 1994 09:49:38 GMT")], 3601),
            (&[("expires", "Sun, 06 Nov 1994 09:49:38 GMT"), ("date", "Sun, 06 Nov 1994 09:39:38 GMT")], 600),
            (&[("expires", "Sun, 06 Nov 1994 08:00:00 GMT")], 300),
            (&[("expires", "0")], 300),
            (&[("expires", "Sat, 06 Nov 2094 08:00:00 GMT")], 86_400),
            (&[("cache-control", "max-age=900"), ("expires", "0")], 900),
        ] {
            assert_eq!(of(lines), seconds, "{lines:?}");
        }
    }
}
