//! warp with its own filters and rejections.

use warp::reject::{Reject, custom};
use warp::{Filter, Rejection, Reply};

use crate::{LIMIT, Line, Order, Page, SECRET};

pub(crate) fn routes() -> impl Filter<Extract = (impl Reply,), Error = Rejection> + Clone + Send {
    let limit = warp::body::content_length_limit(LIMIT as u64);
    let orders = warp::path!("orders");
    let create = orders.and(warp::post()).and(limit).and(warp::body::json()).map(|order: Order| order.name);
    let list = orders.and(warp::get()).and(warp::query()).map(|page: Page| page.page.to_string());
    let show = warp::path!("orders" / u32).and(warp::get()).map(|id: u32| id.to_string());
    let form = warp::path!("form").and(warp::post()).and(limit).and(warp::body::form());
    let form = form.map(|line: Line| line.qty.to_string());
    let boom = warp::path!("boom").and(warp::get()).and_then(boom);
    create.or(list).or(show).or(form).or(boom)
}

#[derive(Debug)]
#[allow(dead_code, reason = "a rejection is told by its Debug")]
struct Boom(&'static str);

impl Reject for Boom {}

async fn boom() -> Result<String, Rejection> {
    Err(custom(Boom(SECRET)))
}
