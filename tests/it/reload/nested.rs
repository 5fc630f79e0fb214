//! Tests changes that take effect after a refusal, or when whole folders are moved.

use std::fs;

use super::{Folder, Served, including, part, saying};
use crate::wait::{until, when};

#[test]
fn m2_a_folder_that_is_replaced_whole_takes_effect() {
    let folder = Folder::new();
    let served = Served::watch(folder.write("etc/policy.toml", &saying("one")));
    for text in ["two", "three"] {
        folder.write("new/policy.toml", &saying(text));
        folder.rename("etc", text);
        folder.rename("new", "etc");
        served.until_it_says(text);
    }
}

/// The watched folders disappear with it, so the folders above them must be watched.
#[test]
fn m2_a_folder_that_is_missing_for_a_while_takes_effect_when_it_is_back() {
    let folder = Folder::new();
    let served = Served::watch(folder.write("conf/a/etc/policy.toml", &saying("one")));
    for (gone, text) in [("conf", "two"), ("conf", "three")] {
        folder.rename(gone, &format!("before-{text}"));
        assert!(served.layer.reload().unwrap_err().to_string().contains("cannot be read"));
        folder.write("conf/a/etc/policy.toml", &saying(text));
        served.until_it_says(text);
    }
}

#[test]
fn m2_an_included_file_that_was_refused_takes_effect_when_it_is_put_right() {
    let folder = Folder::new();
    let served = Served::watch(folder.write("etc/policy.toml", &saying("one")));
    let unheard = folder.unheard("etc/policy.toml");
    folder.write("services/orders.toml", "scope.prefix = \"/team\"\nrout = 1\nversion = 1\n");
    fs::write(unheard, including("../services/orders.toml")).unwrap();
    assert!(served.layer.reload().unwrap_err().to_string().contains("services/orders.toml:2: "));
    folder.write("services/orders.toml", &part("/team", "two"));
    served.until_it_says("two");
}

#[test]
fn m2_an_included_file_that_was_missing_takes_effect_when_it_is_there() {
    let folder = Folder::new();
    let served = Served::watch(folder.write("etc/policy.toml", &saying("one")));
    let unheard = folder.unheard("etc/policy.toml");
    fs::write(unheard, including("../a/services/orders.toml")).unwrap();
    assert!(served.layer.reload().unwrap_err().to_string().contains("services/orders.toml is not a file"));
    folder.write("a/services/orders.toml", &part("/team", "two"));
    served.until_it_says("two");
}

#[test]
fn m2_a_file_of_keys_takes_effect_when_it_changes_and_when_it_was_missing() {
    let folder = Folder::new();
    let policy = |file: &str| {
        format!("version = 1\n[auth.app]\nscheme = \"bearer\"\nkeys_file = \"{file}\"\n[defaults]\nauth = [\"app\"]\n")
    };
    let keys = |revoked: bool| format!("keys = [{{ id = \"app\", sha256 = \"{SHA256}\", revoked = {revoked} }}]\n");
    folder.write("etc/keys.toml", &keys(false));
    let served = Served::watch(folder.write("etc/policy.toml", &policy("keys.toml")));
    assert_eq!(served.code_with(KEY), "not_found");
    folder.replace("etc/keys.toml", &keys(true));
    until_code(&served, "auth_expired");

    fs::write(folder.unheard("etc/policy.toml"), policy("../more/keys.toml")).unwrap();
    let error = served.layer.reload().unwrap_err();
    let text = error.to_string();
    assert!(error.line() == Some(4) && text.contains("keys_file: the file cannot be read"), "{text}");
    assert!(!text.contains("more/keys.toml"), "no text under [auth.*] is quoted (L3): {text}");
    assert_eq!(served.code_with(KEY), "auth_expired");
    folder.write("more/keys.toml", &keys(false));
    until_code(&served, "not_found");
}

#[test]
fn m2_a_page_takes_effect_when_it_changes_and_a_wrong_one_does_not() {
    let folder = Folder::new();
    let policy = "version = 1\n[defaults]\nhtml = \"pages/page.html\"\n";
    folder.write("etc/pages/page.html", "one {{code}}");
    let served = Served::watch(folder.write("etc/policy.toml", policy));
    assert_eq!(served.page(), "one not_found");
    folder.replace("etc/pages/page.html", "two {{code}}");
    let until_page = |page: &str| until(page, || when(served.page() == page, served.page()));
    until_page("two not_found");
    fs::write(folder.unheard("etc/pages/page.html"), "three {{details}}").unwrap();
    let error = served.layer.reload().unwrap_err().to_string();
    assert!(error.contains("policy.toml:3: defaults.html: ") && error.contains("\"details\""), "{error}");
    assert_eq!(served.page(), "two not_found");
    folder.replace("etc/pages/page.html", "four {{code}}");
    until_page("four not_found");
}

const KEY: &str = "demo-key-0123456789";
const SHA256: &str = "507636717dd889c4aca6e55fac6880c0e096f0160c1c940da0564f39301c6537";

#[track_caller]
fn until_code(served: &Served, code: &str) {
    until(&format!("its code is {code:?}"), || {
        let known = served.code_with(KEY);
        when(known == code, known)
    });
}

/// A renamed folder removes nothing: the refusal leaves the old policy active until a file is there again.
#[test]
fn m2_a_folder_of_an_include_that_is_renamed_is_refused_and_taken_once_it_is_back() {
    for pattern in ["a/b/*.toml", "a/b/c/*.toml", "a/b/*/*.toml"] {
        let folder = Folder::new();
        let services = format!("etc/{}", pattern.trim_end_matches("/*.toml").replace('*', "c"));
        folder.write(&format!("{services}/orders.toml"), &part("/team", "one"));
        let served = Served::watch(folder.write("etc/policy.toml", &including(pattern)));
        folder.rename(&services, "gone");
        refused_for_nothing(&served, pattern);
        assert_eq!(served.says(), "one");
        folder.write(&format!("{services}/orders.toml"), &part("/team", "two"));
        served.until_it_says("two");
    }
}

/// No folder in the pattern exists, except one that is empty.
#[test]
fn m2_an_include_of_nothing_takes_effect_once_there_is_a_file() {
    for pattern in ["a/b/*.toml", "a/b/c/*.toml", "a/b/*/*.toml", "a/*/c/*.toml"] {
        let folder = Folder::new();
        fs::create_dir_all(folder.path("etc/a")).unwrap();
        let served = Served::watch(folder.write("etc/policy.toml", &saying("one")));
        fs::write(folder.unheard("etc/policy.toml"), including(pattern)).unwrap();
        refused_for_nothing(&served, pattern);
        let services =
            pattern.trim_end_matches("/*.toml").replacen('*', if pattern.contains("b/*") { "c" } else { "b" }, 1);
        folder.write(&format!("etc/{services}/orders.toml"), &part("/team", "two"));
        served.until_it_says("two");
    }
}

#[track_caller]
fn refused_for_nothing(served: &Served, pattern: &str) {
    let refused = served.layer.reload().unwrap_err().to_string();
    let right = "matches no file; create the first file, or remove the line";
    assert!(refused.ends_with(&format!("policy.toml:2: include[0]: {pattern:?} {right}")), "{refused}");
}
