//! Tests the page's files.

use error_envelope_admin::Admin;

use crate::kit::{ask, ask_with};

#[tokio::test]
async fn the_page_loads_nothing_from_elsewhere_and_nothing_inline() {
    let admin = Admin::new();
    let page = ask(&admin, "GET", "/").await;
    let policy = page.header("content-security-policy").unwrap();
    assert!(
        policy.starts_with("default-src 'none';") && !policy.contains("unsafe") && !policy.contains("http"),
        "{policy}"
    );
    for inline in ["://", " style=", "<style", " onclick=", "<script>"] {
        assert!(!page.body.contains(inline), "{inline} in {}", page.body);
    }
    for (path, kind) in [("/page.css", "text/css"), ("/page.js", "text/javascript"), ("/page.svg", "image/svg+xml")] {
        let file = ask(&admin, "GET", path).await;
        assert_eq!(file.status, 200, "{path}");
        assert!(file.header("content-type").unwrap().starts_with(kind), "{path}");
        assert!(page.body.contains(path), "{path}");
    }
}

#[tokio::test]
async fn the_script_sets_foreign_texts_as_text() {
    let script = ask(&Admin::new(), "GET", "/page.js").await.body;
    for way in ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "DOMParser", ".style"] {
        assert!(!script.contains(way), "{way}");
    }
}

#[tokio::test]
async fn a_page_of_another_name_is_refused() {
    for path in ["/", "/now.json", "/errors.json", "/readiness.json"] {
        let refused = ask_with(&Admin::new(), "GET", path, &[("host", "attacker.example")]).await;
        assert_eq!(refused.status, 421, "{path}");
    }
}
