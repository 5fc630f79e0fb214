//! Tests that idle connections which are bound to a client are closed if other requests need their slots.

use std::sync::Arc;

use http::Extensions;
use tokio::time::{Instant, sleep};

use super::{Connection, Pool, QUEUE_TIME, Service, Simulated, give_back, number, pool, run, take};
use crate::pool::bound::{Binding, BoundConnections};

/// Connections to services over HTTP/1.
type Http1 = Simulated<false>;

/// Creates a client that has an idle, authenticated connection.
async fn authenticated(pool: &Pool<Http1>) -> Arc<BoundConnections> {
    let client = Arc::<BoundConnections>::default();
    let mut lease = pool.take().await.unwrap();
    lease.bound = Some(Arc::clone(&client));
    give_back(lease).await;
    client
}

/// Takes the client's own connection for its next request.
fn own<C: Connection>(client: &Arc<BoundConnections>, pool: &Pool<C>) -> Option<C> {
    let mut extensions = Extensions::new();
    Binding::insert(client, false, &mut extensions);
    Binding::take_from(&mut extensions)?.take(pool)
}

#[tokio::test(start_paused = true)]
async fn a_bound_connection_serves_its_client_alone_and_ends_with_it() {
    let (pool, service) = pool::<false>(Service::default(), 9);
    let (alice, bob) = (authenticated(&pool).await, Arc::default());
    assert!(own(&bob, &pool).is_none());
    assert_eq!(number(&mut pool.take().await.unwrap()), 1, "another client's request gets a new one");
    let again = own(&alice, &pool).expect("it is there");
    assert_eq!((again.number, service.open()), (0, 1));
    alice.put(&pool, again);
    drop(alice);
    assert_eq!(service.open(), 0);
}

#[tokio::test(start_paused = true)]
async fn the_bound_connection_that_has_been_idle_longest_gives_way_to_who_waits_for_a_place() {
    let (pool, service) = pool::<false>(Service::default(), 3);
    let clients = [authenticated(&pool).await, authenticated(&pool).await, authenticated(&pool).await];
    // The first client's connection is used again, so the second client's connection has been idle longest.
    let used = own(&clients[0], &pool).expect("it is there");
    clients[0].put(&pool, used);
    let began = Instant::now();
    let mut lease = pool.take().await.unwrap();
    assert_eq!((number(&mut lease), service.open(), began.elapsed().as_millis()), (3, 3, 0));
    let kept = clients.each_ref().map(|client| own(client, &pool).map(|connection| connection.number));
    assert_eq!(kept, [Some(0), None, Some(2)]);
}

#[tokio::test(start_paused = true)]
async fn each_request_that_waits_closes_one_bound_connection_and_none_closes_without_need() {
    let (pool, service) = pool::<false>(Service::default(), 4);
    let _clients = [authenticated(&pool).await, authenticated(&pool).await, authenticated(&pool).await];
    // First a slot is free, and then an idle connection that is not bound to a client.
    give_back(pool.take().await.unwrap()).await;
    let first = pool.take().await.unwrap();
    assert_eq!(service.opened(), 4);
    let waiting = take(&pool, 2).await;
    assert_eq!((service.opened(), service.open()), (6, 4));
    let mut leases = vec![first];
    for taken in waiting {
        leases.push(taken.await.unwrap().unwrap());
    }
    // All slots except one are in use. The next request takes the last slot, and the request after it gets none.
    leases.push(pool.take().await.unwrap());
    assert!(pool.take().await.is_err());
    assert_eq!((service.opened(), service.open()), (7, 4));
}

#[tokio::test(start_paused = true)]
async fn a_bound_connection_in_use_gives_way_once_it_is_idle() {
    let (pool, service) = pool::<false>(Service::default(), 1);
    let client = authenticated(&pool).await;
    let used = own(&client, &pool).expect("it is there");
    let waiting = take(&pool, 1).await;
    sleep(QUEUE_TIME / 2).await;
    assert!(!waiting[0].is_finished());
    client.put(&pool, used);
    run().await;
    assert!(waiting[0].is_finished());
    assert_eq!((service.opened(), service.open()), (2, 1));
    assert!(own(&client, &pool).is_none());
}

#[tokio::test(start_paused = true)]
async fn a_bound_connection_that_the_service_closed_is_passed_over() {
    let (pool, service) = pool::<false>(Service::default(), 2);
    let clients = [authenticated(&pool).await, authenticated(&pool).await];
    service.close(0);
    assert!(own(&clients[0], &pool).is_none());
    service.close(1);
    // The connection's slot becomes free without a further event, and the waiting requests get it.
    let waiting = take(&pool, 2).await;
    assert!(waiting.iter().all(|taken| taken.is_finished()));
}

#[tokio::test(start_paused = true)]
async fn a_fresh_connection_takes_the_place_of_a_bound_one() {
    let (pool, service) = pool::<false>(Service::default(), 1);
    let _client = authenticated(&pool).await;
    let mut fresh = pool.take_fresh().await.unwrap();
    assert_eq!((number(&mut fresh), service.open()), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn bound_connections_end_with_their_pool() {
    let (pool, service) = pool::<false>(Service::default(), 2);
    let client = authenticated(&pool).await;
    drop(pool);
    assert_eq!(service.open(), 0);
    drop(client);
}
