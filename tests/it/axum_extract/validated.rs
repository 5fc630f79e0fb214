//! Tests `Garde` and `Valid` around extractors of bodies and of heads.

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::routing::{get, post};
use serde::Deserialize;
use serde_json::json;
use tower::ServiceExt;
use tower_error_envelope::ErrorEnvelopeLayer;
use tower_error_envelope::extract::{Garde, Json, Query, Valid};
use tower_error_envelope::testing::Envelope;

#[derive(Deserialize, garde::Validate, validator::Validate)]
struct Booking {
    #[garde(range(min = 1, max = 8))]
    #[validate(range(min = 1, max = 8))]
    guests: u32,
    #[garde(length(min = 1))]
    #[validate(length(min = 1))]
    name: String,
}

fn app() -> Router {
    Router::new()
        .route("/garde", post(|Garde(Json(it)): Garde<Json<Booking>>| async move { it.name }))
        .route("/garde", get(|Garde(Query(it)): Garde<Query<Booking>>| async move { it.name }))
        .route("/valid", post(|Valid(Json(it)): Valid<Json<Booking>>| async move { it.name }))
        .route("/valid", get(|Valid(Query(it)): Valid<Query<Booking>>| async move { it.name }))
        .route("/axum", post(|Valid(it): Valid<axum::Json<Booking>>| async move { it.0.name }))
        .route("/axum", get(|Garde(it): Garde<axum::extract::Query<Booking>>| async move { it.0.name }))
        .layer(ErrorEnvelopeLayer::new())
}

#[tokio::test]
async fn e8_each_violated_rule_is_an_issue_before_the_handler_runs() {
    for path in ["/garde", "/valid", "/axum"] {
        let body = |guests: u32| {
            let request = Request::post(path).header("content-type", "application/json");
            request.body(Body::from(json!({ "guests": guests, "name": "" }).to_string())).unwrap()
        };
        let query = |query: &str| Request::get(format!("{path}?{query}")).body(Body::empty()).unwrap();
        for request in [body(9), query("guests=9&name=")] {
            let envelope = Envelope::of(app().oneshot(request).await.unwrap()).await;
            let places: Vec<_> = envelope.issues().iter().map(|issue| issue["path"].to_string()).collect();
            assert_eq!(places, [r#"["guests"]"#, r#"["name"]"#], "{path}");
            envelope.assert_status(422).assert_code("invalid_request");
        }
        // The extractor itself refuses this query.
        let envelope = Envelope::of(app().oneshot(query("guests=x&name=a")).await.unwrap()).await;
        let message = if path == "/axum" {
            "invalid digit found in string"
        } else {
            "Expected a whole number from 0 to 4294967295."
        };
        envelope.assert_status(400).assert_code("invalid_request").assert_issue(["guests"], message);
        let response = app().oneshot(query("guests=2&name=a")).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
    }
}
