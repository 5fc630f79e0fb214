//! The groups of codes that an export can leave out.

/// A group of the catalogue that an API may have no use for. What clients get does not change: the set of codes is open (E2).
#[derive(Clone, Copy, clap::ValueEnum)]
pub(super) enum Group {
    /// Channels, pairing and their life cycle
    Channel,
    /// Plans, rates and capacity
    Quota,
    /// Media and webhooks
    Media,
}

impl Group {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Channel => "channel",
            Self::Quota => "quota",
            Self::Media => "media",
        }
    }
}
