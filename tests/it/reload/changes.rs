//! Tests changes that take effect: each way in which a policy's files are replaced, added and removed.

use std::fs;

use super::{Folder, Served, UNSAID, including, part, saying};

#[test]
fn m3_a_file_that_is_replaced_by_rename_takes_effect_each_time() {
    let folder = Folder::new();
    let served = Served::watch(folder.write("policy.toml", &saying("one")));
    assert_eq!(served.says(), "one");
    for text in ["two", "three", "four"] {
        folder.replace("policy.toml", &saying(text));
        served.until_it_says(text);
    }
}

#[test]
fn m3_a_file_that_is_overwritten_in_place_takes_effect_each_time() {
    let folder = Folder::new();
    let served = Served::watch(folder.write("policy.toml", &saying("one")));
    for text in ["two", "three", "four"] {
        folder.write("policy.toml", &saying(text));
        served.until_it_says(text);
    }
}

#[test]
fn m3_a_file_that_is_removed_and_written_anew_takes_effect() {
    let folder = Folder::new();
    let served = Served::watch(folder.write("policy.toml", &saying("one")));
    folder.remove("policy.toml");
    assert!(served.layer.reload().is_err());
    assert_eq!(served.says(), "one");
    folder.write("policy.toml", &saying("two"));
    served.until_it_says("two");
}

/// Kubernetes mounts a ConfigMap like this: the files are links through `..data`, and an update renames another link to
/// that name.
#[test]
fn m3_a_link_that_is_swapped_takes_effect_each_time() {
    let folder = Folder::new();
    mount(&folder, "..v1", "one");
    folder.link("..data", "..v1");
    folder.link("policy.toml", "..data/policy.toml");
    folder.link("orders-service.toml", "..data/orders-service.toml");
    let served = Served::watch(folder.path("policy.toml"));
    assert_eq!(served.says(), "one");
    for (version, old, text) in [("..v2", "..v1", "two"), ("..v3", "..v2", "three"), ("..v4", "..v3", "four")] {
        mount(&folder, version, text);
        folder.link("..data_tmp", version);
        folder.rename("..data_tmp", "..data");
        fs::remove_dir_all(folder.path(old)).unwrap();
        served.until_it_says(text);
    }
}

fn mount(folder: &Folder, version: &str, text: &str) {
    folder.write(&format!("{version}/policy.toml"), &including("*-service.toml"));
    folder.write(&format!("{version}/orders-service.toml"), &part("/team", text));
}

#[test]
fn m3_a_link_to_a_file_elsewhere_takes_effect_where_either_changes() {
    let folder = Folder::new();
    folder.write("real/policy.toml", &saying("one"));
    folder.write("other/policy.toml", &saying("three"));
    fs::create_dir(folder.path("etc")).unwrap();
    folder.link("etc/policy.toml", "../real/policy.toml");
    let served = Served::watch(folder.path("etc/policy.toml"));
    folder.replace("real/policy.toml", &saying("two"));
    served.until_it_says("two");
    folder.link("etc/new", "../other/policy.toml");
    folder.rename("etc/new", "etc/policy.toml");
    served.until_it_says("three");
    folder.write("other/policy.toml", &saying("four"));
    served.until_it_says("four");
}

#[test]
fn m3_an_included_file_that_changes_takes_effect() {
    let folder = Folder::new();
    folder.write("services/orders.toml", &part("/team", "one"));
    let served = Served::watch(folder.write("policy.toml", &including("services/orders.toml")));
    assert_eq!(served.says(), "one");
    folder.write("services/orders.toml", &part("/team", "two"));
    served.until_it_says("two");
    folder.replace("services/orders.toml", &part("/team", "three"));
    served.until_it_says("three");
}

#[test]
fn m3_a_file_that_a_wildcard_finds_takes_effect_when_it_comes_and_when_it_goes() {
    let folder = Folder::new();
    folder.write("services/readme.txt", "not a policy");
    folder.write("services/others.toml", &part("/others", "others"));
    let served = Served::watch(folder.write("policy.toml", &including("services/*.toml")));
    assert_eq!(served.says(), UNSAID);
    for text in ["one", "two"] {
        folder.write("services/orders.toml", &part("/team", text));
        served.until_it_says(text);
        folder.remove("services/orders.toml");
        served.until_it_says(UNSAID);
    }
}

#[test]
fn m3_a_wildcards_folder_that_comes_later_takes_effect() {
    let folder = Folder::new();
    folder.write("services/others/policy.toml", &part("/others", "others"));
    let served = Served::watch(folder.write("policy.toml", &including("services/*/policy.toml")));
    for (service, prefix, text) in [("c", "/team", "one"), ("b", "/team/a", "two"), ("a", "/team/a/b", "three")] {
        folder.write(&format!("services/{service}/policy.toml"), &part(prefix, text));
        served.until_it_says(text);
    }
}

#[test]
fn m3_a_policy_that_includes_another_file_from_now_on_watches_that() {
    let folder = Folder::new();
    folder.write("one/orders.toml", &part("/team", "one"));
    folder.write("two/orders.toml", &part("/team", "two"));
    let served = Served::watch(folder.write("policy.toml", &including("one/orders.toml")));
    folder.replace("policy.toml", &including("two/orders.toml"));
    served.until_it_says("two");
    folder.write("two/orders.toml", &part("/team", "three"));
    served.until_it_says("three");
}

#[test]
fn m3_a_base_that_changes_takes_effect() {
    let folder = Folder::new();
    folder.write("bases/organisation.toml", &saying("one"));
    let served = Served::watch(folder.write("policy.toml", "version = 1\nbase = [\"bases/organisation.toml\"]\n"));
    assert_eq!(served.says(), "one");
    folder.replace("bases/organisation.toml", &saying("two"));
    served.until_it_says("two");
}
