//! Serves warp twice, with its own filters and rejections and with those of `pointed/warp.rs`.

use warp::filters::BoxedFilter;
use warp::reject::{Reject, custom};
use warp::{Filter, Rejection, Reply};

use crate::pointed::warp::{json, pairs, refusal_reply};
use crate::{LIMIT, Line, Order, Page, SECRET};

type BoxedRoute = BoxedFilter<(String,)>;

pub(crate) fn routes() -> impl Filter<Extract = (impl Reply,), Error = Rejection> + Clone + Send {
    let create = warp::body::json().map(|order: Order| order.name);
    let list = warp::query().map(|page: Page| page.page.to_string());
    let form = warp::body::form().map(|line: Line| line.qty.to_string());
    around(create.boxed(), list.boxed(), form.boxed())
}

pub(crate) fn pointed() -> impl Filter<Extract = (impl Reply,), Error = Rejection> + Clone + Send {
    let create = json().map(|order: Order| order.name);
    let list = warp::query::raw().and_then(pairs).map(|page: Page| page.page.to_string());
    let form = warp::body::bytes().and_then(pairs).map(|line: Line| line.qty.to_string());
    around(create.boxed(), list.boxed(), form.boxed()).recover(refusal_reply)
}

fn around(
    create: BoxedRoute,
    list: BoxedRoute,
    form: BoxedRoute,
) -> impl Filter<Extract = (impl Reply,), Error = Rejection> + Clone + Send {
    let limit = warp::body::content_length_limit(LIMIT as u64);
    let orders = warp::path!("orders");
    let create = orders.and(warp::post()).and(limit).and(create);
    let list = orders.and(warp::get()).and(list);
    let show = warp::path!("orders" / u32).and(warp::get()).map(|id: u32| id.to_string());
    let form = warp::path!("form").and(warp::post()).and(limit).and(form);
    let boom = warp::path!("boom").and(warp::get()).and_then(boom);
    create.or(list).or(show).or(form).or(boom)
}

#[derive(Debug)]
#[allow(dead_code, reason = "a rejection is logged by its Debug")]
struct Boom(&'static str);

impl Reject for Boom {}

async fn boom() -> Result<String, Rejection> {
    Err(custom(Boom(SECRET)))
}
