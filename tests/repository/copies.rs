//! Tests that the copies under `tests/` equal the shared originals, byte for byte, if those are available.

use std::path::{Path, PathBuf};

#[test]
fn copies_are_the_originals() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let originals = root.join("../shared");
    if !originals.exists() {
        return;
    }
    for part in ["catalogue.toml", "cases"] {
        let (copy, original) = (root.join("tests").join(part), originals.join(part));
        let (copies, wanted) = (files(&copy), files(&original));
        assert_eq!(names(&copies, &copy), names(&wanted, &original), "tests/{part}: copy the folder anew");
        for (copy, original) in copies.iter().zip(&wanted) {
            let same = std::fs::read(copy).expect("a copy") == std::fs::read(original).expect("an original");
            assert!(same, "{} differs from {}: copy it anew", copy.display(), original.display());
        }
    }
}

fn names(files: &[PathBuf], root: &Path) -> Vec<PathBuf> {
    files.iter().map(|file| file.strip_prefix(root).expect("below the root").to_owned()).collect()
}

fn files(path: &Path) -> Vec<PathBuf> {
    if path.is_file() {
        return vec![path.to_owned()];
    }
    let entries = std::fs::read_dir(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut files: Vec<PathBuf> = entries.flat_map(|entry| files(&entry.expect("an entry").path())).collect();
    files.sort();
    files
}
