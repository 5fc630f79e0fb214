//! The path and the query of a request, until its response is known. Errors do not repeat values that the client sent
//! in them (E9).

use http::uri::PathAndQuery;

/// The maximum length of a short target, in bytes. Together with its length, a short target takes as much memory as a
/// [`PathAndQuery`].
const INLINE: usize = 38;

/// The target of a request. A short target is copied. Cloning a `PathAndQuery` instead would cost more, because it
/// counts the owners of the text.
#[derive(Debug, Default)]
pub enum Target {
    #[default]
    Unknown,
    Short(u8, [u8; INLINE]),
    Long(PathAndQuery),
}

/// The target for a response without a known request.
pub static UNKNOWN: Target = Target::Unknown;

impl Target {
    #[inline]
    pub fn new(target: Option<&PathAndQuery>) -> Self {
        let Some(target) = target else { return Self::Unknown };
        let text = target.as_str().as_bytes();
        let mut short = [0; INLINE];
        match short.get_mut(..text.len()) {
            Some(place) => {
                place.copy_from_slice(text);
                Self::Short(text.len() as u8, short)
            }
            None => Self::Long(target.clone()),
        }
    }

    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::Unknown => None,
            Self::Short(length, bytes) => str::from_utf8(bytes.get(..usize::from(*length))?).ok(),
            Self::Long(target) => Some(target.as_str()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn e9_a_target_is_kept_whole() {
        for length in [1, 2, INLINE, INLINE + 1, 4000] {
            let text = format!("/{}", "a".repeat(length - 1));
            let target = Target::new(Some(&text.parse().unwrap()));
            assert_eq!(target.as_str(), Some(&*text));
        }
        assert_eq!(Target::new(None).as_str(), None);
    }
}
