//! Measures the cost of reading the longest error bodies (rule R4), in the shapes that frameworks write.

use std::convert::Infallible;
use std::fmt::Write as _;
use std::future::ready;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Request, Response, StatusCode};
use http_body_util::Full;
use tower::service_fn;
use tower_error_envelope::ErrorEnvelopeLayer;
use tower_layer::Layer;

use crate::Named;
use crate::answer::Answers;
use crate::cases::Case;
use crate::counter;

/// The most instructions for one body. The aim is 6.5 million. They take some two milliseconds of a core, which is the
/// time for which a stranger can make another client wait. A text of escapes takes 9.1 million. Nested maps take 15
/// million, because an unknown code is looked for in all parts that no rule has read (E9).
const MOST: f64 = 15_500_000.0;

/// The longest body that is read.
const LONGEST: usize = 64 << 10;

/// A body that repeats one part. `#` stands for the part's number.
#[derive(Clone, Copy)]
pub(crate) struct Repeated {
    name: &'static str,
    before: &'static str,
    part: &'static str,
    between: &'static str,
    after: &'static str,
}

const fn of(name: &'static str, before: &'static str, part: &'static str, after: &'static str) -> Repeated {
    Repeated { name, before, part, between: ",", after }
}

const fn text(name: &'static str, part: &'static str) -> Repeated {
    Repeated { name, before: r#"{"message":""#, part, between: "", after: r#""}"# }
}

const fn deep(name: &'static str, part: &'static str) -> Repeated {
    Repeated { name, before: "", part, between: "", after: "" }
}

impl Named for Repeated {
    const ALL: &'static [Self] = &[
        of(
            "FastAPI",
            r#"{"detail":["#,
            r#"{"type":"int_parsing","loc":["body","items",#,"qty"],"msg":"Input should be a valid integer","input":"x"}"#,
            "]}",
        ),
        of("Django REST", "{", r#""field#":["This field is required."]"#, "}"),
        of("nested maps", r#"{"errors":{"#, r#""a#":{"b":{"c":["Required."]}}"#, "}}"),
        of("nested lists", r#"{"items":["#, r#"{"sub":[{"qty":["Required."]}]}"#, "]}"),
        of("fields", r#"{"errors":["#, r#"{"field":"items.#.qty","message":"must be a number"}"#, "]}"),
        of(
            "zod",
            r#"{"issues":["#,
            r#"{"code":"invalid_type","expected":"number","path":["items",#],"message":"Required"}"#,
            "]}",
        ),
        of(
            "JSON:API",
            r#"{"errors":["#,
            r#"{"title":"Invalid","detail":"must be a number","source":{"pointer":"/data/items/#"}}"#,
            "]}",
        ),
        of("ASP.NET", r#"{"title":"Errors.","status":422,"errors":{"#, r#""Items[#].Qty":["Required."]"#, "}}"),
        of("Laravel", r#"{"message":"Invalid.","errors":{"#, r#""items.#.qty":["Required."]"#, "}}"),
        of("texts", r#"{"errors":["#, r#""Items # is not a number""#, "]}"),
        of("quoted texts", r#"{"errors":["#, r#""\"items[#].qty\" must be a number, got 'x'""#, "]}"),
        of(
            "GraphQL",
            r#"{"errors":["#,
            r#"{"message":"No.","locations":[{"line":1,"column":#}],"path":["a",#]}"#,
            "]}",
        ),
        of("data", r#"{"items":["#, r#"{"name":"Lamp #","message":"sold out"}"#, "]}"),
        of("numbers", r#"{"message":"No.","data":["#, "#", "]}"),
        of("one name", "{", r#""errors":[{"field":"a","message":"b"}]"#, "}"),
        text("one text", "Nothing fits in here. "),
        text("quotes", r#"value 'x#' is no \"number\", "#),
        text("escapes", r"\u00e9\n"),
        text("validator", r"Key: 'Order.Items[#].Qty' Error:Field validation for 'Qty' failed on the 'min' tag\n"),
        text("pydantic", r"items.#.qty\n  Field required [type=missing, input_value={'a': 'b'}, input_type=dict]\n"),
        text("Jackson", r#"no (through reference chain: Order[\"items\"]->java.util.ArrayList[#]) "#),
        deep("objects", r#"{"error":"#),
        deep("arrays", "["),
    ];

    fn name(self) -> &'static str {
        self.name
    }
}

impl Repeated {
    fn body(self) -> Bytes {
        let mut body = self.before.to_owned();
        for number in 0.. {
            let part = self.part.replace('#', &number.to_string());
            if body.len() + part.len() + self.between.len() + self.after.len() > LONGEST {
                break;
            }
            if number > 0 {
                body.push_str(self.between);
            }
            body.push_str(&part);
        }
        Bytes::from(body + self.after)
    }
}

pub(crate) fn run(shape: Repeated, requests: u64) {
    let body = shape.body();
    let service = service_fn(move |_: Request<_>| {
        let mut response = Response::new(Full::<Bytes>::from(body.clone()));
        *response.status_mut() = StatusCode::UNPROCESSABLE_ENTITY;
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        ready(Ok::<_, Infallible>(response))
    });
    counter::with_runtime(|| {
        let mut stack = ErrorEnvelopeLayer::new().layer(service);
        let answer = stack.answer(Case::Happy.request()).map(Response::into_body).unwrap_or_default();
        assert!(answer.starts_with(br#"{"error"#) && answer.ends_with(b"}"), "{}: {answer:?}", shape.name);
        let requests = requests.div_ceil(50);
        counter::twice(|| (0..requests).for_each(|_| drop(std::hint::black_box(stack.answer(Case::Happy.request())))));
    });
}

/// Returns the table, and a line for each body that takes too much.
pub(crate) fn table() -> (String, Vec<String>) {
    let mut text = format!("{:<12} {:>9}\n", "64 KiB of", "instr");
    let mut risen = Vec::new();
    for shape in Repeated::ALL {
        let count = counter::instructions(&["--long-body", shape.name], 1) * 50.0;
        let _ = writeln!(text, "{:<12} {count:>9.0}", shape.name);
        if count > MOST {
            risen.push(format!("64 KiB of {}: {count:.0} instructions, and {MOST:.0} at most", shape.name));
        }
    }
    (text, risen)
}
