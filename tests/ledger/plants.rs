//! Plants faults in views. The comparison must find each of them.

use serde_json::{Value, json};

use super::compare;
use super::entry::Entry;
use super::views::Views;

type Plant = (&'static str, fn(&mut Views));

fn access(views: &mut Views) -> &mut Vec<Value> {
    views.access.as_mut().expect("the gateway has an access log")
}

/// Returns the first line of the log with this origin.
fn line<'v>(views: &'v mut Views, origin: &str) -> &'v mut Value {
    views.lines.iter_mut().find(|line| line["origin"] == origin).expect("there is one")
}

fn raise(views: &mut Views, name: &str, label: &str, value: &str) {
    let of = |series: &&mut super::views::Series| {
        series.name == name && series.labels.get(label).is_some_and(|own| own == value)
    };
    views.metrics.iter_mut().find(of).expect("there is one").value += 1.0;
}

const PLANTS: [Plant; 16] = [
    ("the status of an observed error is what enforce would send", |views| {
        let line = views.lines.iter_mut().find(|it| it["would_be_status"].is_number() && it["status"] == 200);
        let line = line.expect("there is one");
        line["status"] = line["would_be_status"].clone();
    }),
    ("a refusal names a service", |views| {
        // A body that is cut off at once may have reached the service, so only a 401 is sure.
        let refused = views.lines.iter_mut().find(|it| it["origin"] == "guard" && it["status"] == 401);
        refused.expect("there is one")["upstream"] = json!("http://127.0.0.1:1");
    }),
    ("an inner error names none", |views| line(views, "inner")["upstream"] = Value::Null),
    ("a line is missing", |views| drop(views.lines.pop())),
    ("a line is there twice", |views| views.lines.push(views.lines[0].clone())),
    ("a line of the access log is missing", |views| drop(access(views).pop())),
    ("a client that left got everything", |views| {
        let line = access(views).iter_mut().find(|it| it["end"] == "client_left").expect("there is one");
        line["end"] = json!("complete");
    }),
    ("a cut response is a success", |views| {
        let line = access(views).iter_mut().find(|it| it["outcome"] == "broken").expect("there is one");
        line["outcome"] = json!("ok");
    }),
    ("a call that failed is a success", |views| {
        let line = access(views).iter_mut().find(|it| it["grpc_status"] == 13).expect("there is one");
        line["grpc_status"] = json!(0);
    }),
    ("a response has one byte more", |views| {
        let line = access(views).iter_mut().find(|it| it["end"] == "complete").expect("there is one");
        line["response_bytes"] = json!(line["response_bytes"].as_u64().unwrap_or(0) + 1);
    }),
    ("a request is counted twice", |views| raise(views, "error_envelope_requests_total", "outcome", "ok")),
    ("an error is counted twice", |views| raise(views, "error_envelope_errors_total", "origin", "guard")),
    ("a broken body is counted twice", |views| {
        let labels = [("route".to_owned(), "/enforce/plain/{*rest}".to_owned())].into_iter().collect();
        let name = "error_envelope_broken_bodies_total".to_owned();
        views.metrics.push(super::views::Series { name, labels, value: 1.0 });
    }),
    ("the page shows another outcome", |views| {
        let minutes = views.now["hour"]["outcomes"]["ok"].as_array_mut().expect("minutes");
        minutes[0] = json!(minutes[0].as_i64().unwrap_or(0) + 1);
    }),
    ("the store has another status", |views| views.errors["errors"][0]["status"] = json!(299)),
    ("readiness misses a request", |views| {
        let route = &mut views.readiness["routes"][0];
        route["requests"] = json!(route["requests"].as_i64().unwrap_or(0) - 1);
    }),
];

/// Plants each fault alone in views that are true.
#[track_caller]
pub(crate) fn expect_found(ledger: &[Entry], views: &Views) {
    for (name, plant) in PLANTS {
        let mut planted = views.clone();
        plant(&mut planted);
        assert!(!compare::falsehoods(ledger, &planted).is_empty(), "not found: {name}");
    }
}
