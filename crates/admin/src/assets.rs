//! The page: HTML, style and script as they are in `assets/`. The script reads the JSON endpoints.

use http::StatusCode;

use crate::answer::{self, Answer};

pub(crate) fn page() -> Answer {
    answer::page(include_str!("assets/page.html"))
}

pub(crate) fn style() -> Answer {
    answer::whole(StatusCode::OK, "text/css; charset=utf-8", include_str!("assets/page.css"))
}

pub(crate) fn script() -> Answer {
    answer::whole(StatusCode::OK, "text/javascript; charset=utf-8", include_str!("assets/page.js"))
}

pub(crate) fn icon() -> Answer {
    answer::whole(StatusCode::OK, "image/svg+xml", include_str!("assets/page.svg"))
}
