//! Tests how long a request waits in line.

use std::future::poll_fn;
use std::pin::pin;
use std::time::Duration;

use error_envelope_core::cause;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout};
use tower::load_shed::error::Overloaded;

use super::{QUEUE_TIME, Service, give_back, pool, pool_with, run, take};

#[tokio::test(start_paused = true)]
async fn the_queue_time_ends_a_wait_at_the_bound_with_overloaded() {
    let (pool, _service) = pool::<false>(Service::default(), 1);
    let _kept = pool.take().await.unwrap();
    let began = Instant::now();
    let error = pool.take().await.err().expect("none is free");
    assert!(cause::find::<Overloaded>(&*error).is_some(), "{error}");
    assert_eq!(began.elapsed().as_millis(), QUEUE_TIME.as_millis());
}

#[tokio::test(start_paused = true)]
async fn the_queue_time_does_not_end_a_wait_for_a_connection_that_is_being_opened() {
    let gate = Some(Semaphore::new(0));
    let (pool, service) = pool::<false>(Service { gate, ..Service::default() }, 9);
    let waiting = take(&pool, 1).await;
    tokio::time::sleep(5 * QUEUE_TIME).await;
    assert!(!waiting[0].is_finished());
    service.gate.as_ref().unwrap().add_permits(1);
    run().await;
    assert!(waiting[0].is_finished());
}

#[tokio::test(start_paused = true)]
async fn the_queue_time_is_one_for_all_turns_of_a_request() {
    let (pool, _service) = pool::<false>(Service::default(), 1);
    let kept = pool.take().await.unwrap();
    tokio::spawn(async move {
        tokio::time::sleep(QUEUE_TIME / 2).await;
        give_back(kept).await;
    });
    let (mut left, began) = (QUEUE_TIME, Instant::now());
    let _granted = pool.take_within(&mut left).await.unwrap();
    assert!(pool.take_within(&mut left).await.is_err());
    assert_eq!(began.elapsed().as_millis(), QUEUE_TIME.as_millis());
}

#[tokio::test(start_paused = true)]
async fn a_tiny_queue_time_does_not_keep_the_processor_busy_while_a_connection_is_being_opened() {
    let gate = Some(Semaphore::new(0));
    let (pool, _service) = pool_with::<false>(Duration::from_nanos(1), Service { gate, ..Service::default() }, 1);
    let (mut taking, mut polls) = (pin!(pool.take()), 0);
    let counted = poll_fn(|cx| {
        polls += 1;
        taking.as_mut().poll(cx)
    });
    assert!(timeout(QUEUE_TIME, counted).await.is_err());
    assert!(polls < 120, "{polls} in a second");
}
