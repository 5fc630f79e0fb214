//! A list in the last segment of a path (G0).

/// The most elements of a list that are compared with the routes one by one.
const MOST: usize = 256;

/// A path whose last segment is a list with commas. tRPC's batches call each element: `/trpc/hello,admin.drop` calls
/// `/trpc/hello` and `/trpc/admin.drop`.
pub(crate) struct PathList<'p> {
    /// The path up to the last slash, which is included.
    folder: &'p [u8],
    list: &'p [u8],
}

impl<'p> PathList<'p> {
    pub(crate) fn from_path(path: &'p [u8]) -> Option<Self> {
        let (folder, list) = path.split_at(path.iter().rposition(|byte| *byte == b'/')? + 1);
        list.contains(&b',').then_some(Self { folder, list })
    }

    pub(crate) fn folder(&self) -> &'p [u8] {
        self.folder
    }

    /// Adds the paths of the elements that have this name in any letter case. A list with more than [`MOST`] elements is
    /// treated as if it had an element of every name.
    pub(crate) fn add_elements(&self, name: &[u8], paths: &mut Vec<Vec<u8>>) {
        let mut add = |element: &[u8]| {
            let path = [self.folder, element].concat();
            if !paths.contains(&path) {
                paths.push(path);
            }
        };
        let elements = || self.list.split(|byte| *byte == b',');
        match elements().nth(MOST) {
            Some(_) => add(name),
            None => elements().filter(|element| element.eq_ignore_ascii_case(name)).for_each(add),
        }
    }
}
