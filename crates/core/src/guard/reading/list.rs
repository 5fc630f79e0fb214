//! A list in the last segment of a path (G0).

use crate::guard::pattern::{RemainingPath, segments_of};

/// The maximum number of elements of a list that are compared with the routes one by one.
const MOST: usize = 256;

/// A path whose last segment is a list with commas. tRPC's batches call each element: `/trpc/hello,admin.drop` calls
/// `/trpc/hello` and `/trpc/admin.drop`.
#[derive(Clone, Copy)]
pub(crate) struct PathList<'p> {
    folder: &'p [u8],
    list: &'p [u8],
}

impl<'p> PathList<'p> {
    pub(crate) fn from_path(path: &'p [u8]) -> Option<Self> {
        let (folder, list) = path.split_at(path.iter().rposition(|byte| *byte == b'/')?);
        list.contains(&b',').then_some(Self { folder, list: &list[1..] })
    }

    /// Returns the segments before the list.
    pub(crate) fn folder(self) -> RemainingPath<'p> {
        segments_of(self.folder)
    }

    pub(crate) fn elements(self) -> impl Iterator<Item = &'p [u8]> {
        self.list.split(|byte| *byte == b',')
    }

    /// Returns true if the list is treated as if it contained every name.
    pub(crate) fn has_any(self) -> bool {
        self.elements().nth(MOST).is_some()
    }

    /// Returns the path to which an element leads.
    pub(crate) fn path_to(self, element: &[u8]) -> Vec<u8> {
        [self.folder, b"/", element].concat()
    }
}
