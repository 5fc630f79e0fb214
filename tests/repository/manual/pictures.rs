//! The manual's pictures: each is on a page, and `.ci/pages --pictures` makes those of pages and terminals.

use std::fs;

use super::{manual, read, root};

#[test]
fn each_picture_is_on_a_page() {
    let pages: Vec<_> = manual().into_iter().chain([root().join("README.md")]).map(|page| read(&page)).collect();
    let is_shown = |name: &String| pages.iter().any(|page| page.contains(&format!("images/{name}")));
    let unused: Vec<_> = pictures().into_iter().filter(|name| !is_shown(name)).collect();
    assert_eq!(unused, [] as [String; 0]);
}

#[test]
fn each_screenshot_is_made_by_a_script() {
    let script = read(&root().join(".ci/pages"));
    let made = script.split_once("for picture in ").and_then(|(_, rest)| rest.split_once(';')).expect("a list").0;
    let mut made: Vec<_> = made.split(' ').map(|name| format!("{name}.png")).collect();
    made.sort();
    assert_eq!(pictures().into_iter().filter(|name| name.ends_with(".png")).collect::<Vec<_>>(), made);
}

fn pictures() -> Vec<String> {
    let files = fs::read_dir(root().join("manual/images")).unwrap();
    let mut names: Vec<_> = files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}
