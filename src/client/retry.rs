//! The contract's advice as a policy for `tower::retry`.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response};
use tokio::time::Sleep;
use tower::retry::Policy;
use tower::retry::budget::{Budget, TpsBudget};

use super::reader::ErrorReader;
use super::schedule::{Progress, Schedule};
use error_envelope_core::client::ClientError;

/// Retries requests that may succeed later, as the contract advises.
///
/// 1. Only idempotent requests (RFC 9110 §9.2.2) are repeated: GET, HEAD, OPTIONS, TRACE, PUT, DELETE. A request with
///    [`Idempotent`] in its extensions is also treated as idempotent. Without this extension, no POST and no gRPC call
///    is repeated.
/// 2. The advice of an error's code decides. If the advice is `backoff`, or if a canonical code is unknown, the request
///    is repeated. If the advice is `no` or `refresh`, the request is not repeated, because `refresh` requires a
///    different request. A `grpc-retry-pushback-ms` that is negative or not a number also prevents a repetition. The
///    code comes from the [`ClientError`] that [`ReadErrorLayer`](super::ReadErrorLayer) put into the response. Without
///    such an error, the code is read from the head.
/// 3. If a request got no response because its connection failed, it is repeated as if the advice were `backoff`.
/// 4. The policy waits as long as the server requests ([`ClientError::retry_after`]). If the server requests no wait,
///    its length is random, up to a bound that doubles each time ("full jitter"). If a wait would exceed
///    [`total_wait`](Self::total_wait), the caller gets the response instead.
/// 5. All clones share one budget for repetitions. A service that is down therefore does not receive several times its
///    usual number of requests.
///
/// Put the policy around the client. Put the time limit of a single attempt inside the policy. The request's body must
/// be `Clone`. `Full<Bytes>` is `Clone`; a stream is not.
///
/// ```
/// use std::time::Duration;
///
/// use bytes::Bytes;
/// use http::{Request, Response};
/// use http_body_util::Full;
/// use tower::{ServiceBuilder, retry::RetryLayer, service_fn};
/// use tower_error_envelope::client::{ErrorReader, ReadErrorLayer, RetryPolicy};
///
/// # async fn send(_: Request<Full<Bytes>>) -> Result<Response<Full<Bytes>>, std::io::Error> { Ok(Response::default()) }
/// let client = ServiceBuilder::new()
///     .layer(RetryLayer::new(RetryPolicy::new().attempts(3).total_wait(Duration::from_secs(20))))
///     .layer(ReadErrorLayer::new(ErrorReader::new()))
///     .service(service_fn(send));
/// # fn is_service<S: tower::Service<Request<Full<Bytes>>>>(_: S) {}
/// # is_service(client);
/// ```
#[derive(Clone)]
#[must_use]
pub struct RetryPolicy {
    settings: Arc<Settings>,
    /// The attempts and waits so far of the request for which this clone was made.
    progress: Progress,
}

#[derive(Clone)]
struct Settings {
    schedule: Schedule,
    reader: ErrorReader,
    budget: Arc<dyn Budget + Send + Sync>,
    random: fn() -> f64,
}

/// A request extension that marks the request as idempotent. Such a request may be sent again, even if its method is
/// POST.
///
/// ```
/// use http::Request;
/// use tower_error_envelope::client::Idempotent;
///
/// let request = Request::post("/payments").header("idempotency-key", "8e03978e").extension(Idempotent).body(())?;
/// # Ok::<_, http::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Idempotent;

impl RetryPolicy {
    /// Creates a policy with at most 4 attempts, and waits of at most 60 s in total. The bound of the first wait is 100
    /// ms. The bound doubles with each attempt, up to 10 s. The budget is a [`TpsBudget`] with its defaults: 10
    /// repetitions a second, and one more for every five requests.
    pub fn new() -> Self {
        let settings = Settings {
            schedule: Schedule::DEFAULT,
            reader: ErrorReader::new(),
            budget: Arc::new(TpsBudget::default()),
            random: rand::random,
        };
        Self { settings: Arc::new(settings), progress: Progress::default() }
    }

    /// Sets the largest number of attempts, including the first. With 0 or 1, no request is repeated.
    pub fn attempts(self, attempts: u32) -> Self {
        self.with(|settings| settings.schedule.attempts = attempts)
    }

    /// Sets the bounds of the random waits: the first bound, which doubles each time, and the largest.
    pub fn backoff(self, base: Duration, most: Duration) -> Self {
        self.with(|settings| (settings.schedule.base, settings.schedule.most) = (base, most))
    }

    /// Sets the longest total wait between the attempts of one request.
    pub fn total_wait(self, total: Duration) -> Self {
        self.with(|settings| settings.schedule.total = total)
    }

    /// Sets the reader for responses that did not pass through a [`ReadErrorLayer`](super::ReadErrorLayer). The heads
    /// of these responses are read with the known codes and the clock of this reader.
    pub fn reader(self, reader: ErrorReader) -> Self {
        self.with(|settings| settings.reader = reader)
    }

    /// Sets the budget for the repetitions of all clones. Each request adds to it once.
    pub fn budget(self, budget: impl Budget + Send + Sync + 'static) -> Self {
        self.with(|settings| settings.budget = Arc::new(budget))
    }

    /// Sets the source of randomness for waits, which returns numbers from 0 to 1. Use this method in tests and
    /// simulations. The default is the thread's generator.
    pub fn random(self, random: fn() -> f64) -> Self {
        self.with(|settings| settings.random = random)
    }

    fn with(mut self, set: impl FnOnce(&mut Settings)) -> Self {
        set(Arc::make_mut(&mut self.settings));
        self
    }

    fn next<B, E>(&mut self, result: &Result<Response<B>, E>) -> Option<Duration> {
        let settings = &*self.settings;
        let requested = match result {
            Err(_) => None,
            Ok(response) => {
                let read = response.extensions().get::<ClientError>().cloned();
                let error = read.or_else(|| settings.reader.read_head(response)).filter(ClientError::is_retryable)?;
                error.retry_after()
            }
        };
        let mut progress = self.progress;
        let wait = settings.schedule.next(&mut progress, requested, (settings.random)())?;
        self.progress = progress;
        settings.budget.withdraw().then_some(wait)
    }
}

impl<Q: Clone, B, E> Policy<Request<Q>, Response<B>, E> for RetryPolicy {
    type Future = Sleep;

    fn retry(&mut self, _: &mut Request<Q>, result: &mut Result<Response<B>, E>) -> Option<Sleep> {
        if self.progress.again == 0 {
            self.settings.budget.deposit();
        }
        self.next(result).map(tokio::time::sleep)
    }

    fn clone_request(&mut self, request: &Request<Q>) -> Option<Request<Q>> {
        let repeats = request.method().is_idempotent() || request.extensions().get::<Idempotent>().is_some();
        repeats.then(|| request.clone())
    }
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for RetryPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RetryPolicy").field("schedule", &self.settings.schedule).finish_non_exhaustive()
    }
}
