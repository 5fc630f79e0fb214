//! Tests connections that take several requests at once.

use tokio::sync::Semaphore;

use super::{IDLE, Service, number, pool, run, take};

#[tokio::test(start_paused = true)]
async fn a_shared_connection_takes_as_many_as_it_has_room_for_and_one_is_opened_at_a_time() {
    let (gate, room) = (Some(Semaphore::new(0)), 2);
    let (pool, service) = pool::<true>(Service { gate, room, ..Service::default() }, 2);
    let mut waiting = take(&pool, 5).await;
    assert_eq!(service.opened(), 1);
    service.gate.as_ref().unwrap().add_permits(9);
    run().await;
    assert_eq!((service.opened(), waiting.iter().filter(|each| each.is_finished()).count()), (2, 4));
    let mut leases = Vec::new();
    for taken in waiting.drain(..4) {
        leases.push(taken.await.unwrap().unwrap());
    }
    assert_eq!(leases.iter_mut().map(number).collect::<Vec<_>>(), [0, 0, 1, 1]);
    // A request that ends for any reason makes room for another request.
    drop(leases.remove(0));
    run().await;
    assert!(waiting[0].is_finished());
    tokio::time::sleep(2 * IDLE).await;
    drop(leases);
    drop(waiting.remove(0).await);
    tokio::time::sleep(2 * IDLE).await;
    assert_eq!(service.open(), 1, "the newest stays");
}

#[tokio::test(start_paused = true)]
async fn connections_of_a_pool_that_is_dropped_are_closed() {
    let (pool, service) = pool::<true>(Service::default(), 9);
    drop(pool.take().await.unwrap());
    drop(pool);
    assert_eq!(service.open(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_shared_connection_that_was_closed_goes_to_nobody_in_line() {
    let (pool, service) = pool::<true>(Service::default(), 1);
    let first = pool.take().await.unwrap();
    let waiting = take(&pool, 2).await;
    service.close(0);
    drop(first);
    for taken in waiting {
        let mut lease = taken.await.unwrap().unwrap();
        assert_eq!(number(&mut lease), 1);
    }
}
