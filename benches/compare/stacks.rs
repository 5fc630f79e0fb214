//! Each stack around the service, as its documentation shows it.

use axum_08::Router;
use axum_08::middleware::from_fn;
use axum_problem::{AxumProblem, ProblemLayer};
use http::{HeaderName, Request, StatusCode};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use problem_details::ProblemDetails;
use tokio::io::DuplexStream;
use tower::ServiceBuilder;
use tower_error_envelope::{ErrorEnvelopeLayer, Fault};
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::limit::RequestBodyLimitLayer;
use tower_http::request_id::{MakeRequestId, PropagateRequestIdLayer, RequestId, SetRequestIdLayer};
use tower_http::trace::TraceLayer;

use crate::answer::Answers;
use crate::by_hand::{AppError, one_shape};
use crate::service::{service, stock, time_limit};

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stack {
    /// The service alone.
    Bare,
    /// The service alone, in the version of axum that axum-problem works with.
    Bare07,
    Layer,
    AxumProblem,
    ProblemDetails,
    TowerHttp,
    ByHand,
}

pub(crate) enum Service {
    Axum(Router),
    Axum07(axum::Router),
}

impl Stack {
    pub(crate) const COMPARED: [Self; 5] =
        [Self::Layer, Self::AxumProblem, Self::ProblemDetails, Self::TowerHttp, Self::ByHand];
    const ALL: [Self; 7] =
        [Self::Bare, Self::Bare07, Self::Layer, Self::AxumProblem, Self::ProblemDetails, Self::TowerHttp, Self::ByHand];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Bare => "bare",
            Self::Bare07 => "bare-07",
            Self::Layer => "this layer",
            Self::AxumProblem => "axum-problem",
            Self::ProblemDetails => "problem_details",
            Self::TowerHttp => "tower-http",
            Self::ByHand => "by hand",
        }
    }

    pub(crate) fn named(name: &str) -> Self {
        Self::ALL
            .into_iter()
            .find(|stack| stack.name() == name)
            .unwrap_or_else(|| panic!("no stack is called {name:?}"))
    }

    /// Returns the stack with which its cost is compared.
    pub(crate) fn bare(self) -> Self {
        if self == Self::AxumProblem { Self::Bare07 } else { Self::Bare }
    }

    pub(crate) fn service(self) -> Service {
        Service::Axum(match self {
            Self::Bare07 => return Service::Axum07(service!(axum, masked)),
            Self::AxumProblem => return Service::Axum07(service!(axum, masked).layer(ProblemLayer)),
            Self::Bare => service!(axum_08, problem),
            Self::Layer => service!(axum_08, fault).layer(ErrorEnvelopeLayer::new()),
            Self::ProblemDetails => service!(axum_08, problem),
            Self::TowerHttp => tower_http(service!(axum_08, went_wrong)),
            Self::ByHand => service!(axum_08, by_hand).layer(from_fn(one_shape)),
        })
    }
}

impl Service {
    pub(crate) fn answers(self) -> Box<dyn Answers> {
        match self {
            Self::Axum(router) => Box::new(router),
            Self::Axum07(router) => Box::new(router),
        }
    }

    /// Serves until the client closes the connection. A panic ends the connection, as it ends a server's task.
    pub(crate) async fn serve(self, io: DuplexStream) {
        let (server, io) = (auto::Builder::new(TokioExecutor::new()), TokioIo::new(io));
        let _ = match self {
            Self::Axum(router) => server.serve_connection(io, TowerToHyperService::new(router)).await,
            Self::Axum07(router) => server.serve_connection(io, TowerToHyperService::new(router)).await,
        };
    }
}

async fn fault() -> Result<&'static str, Fault> {
    Ok(stock()?)
}

#[derive(Debug, thiserror::Error, AxumProblem)]
enum ApiError {
    #[error("{0}")]
    #[problem(status = 500, mask)]
    Internal(#[from] anyhow::Error),
}

async fn masked() -> Result<&'static str, ApiError> {
    Ok(stock()?)
}

async fn problem() -> Result<&'static str, Box<ProblemDetails>> {
    stock().map_err(|_| ProblemDetails::from_status_code(StatusCode::INTERNAL_SERVER_ERROR).into())
}

/// Converts the error as axum's example `anyhow-error-response` does, because tower-http has no type for errors.
async fn went_wrong() -> Result<&'static str, (StatusCode, String)> {
    stock().map_err(|error| (StatusCode::INTERNAL_SERVER_ERROR, format!("Something went wrong: {error}")))
}

async fn by_hand() -> Result<&'static str, AppError> {
    Ok(stock()?)
}

#[derive(Clone, Copy)]
struct MakeUlid;

impl MakeRequestId for MakeUlid {
    fn make_request_id<B>(&mut self, _: &Request<B>) -> Option<RequestId> {
        ulid::Ulid::generate().to_string().parse().ok().map(RequestId::new)
    }
}

fn tower_http(service: Router) -> Router {
    let x_request_id = HeaderName::from_static("x-request-id");
    service.layer(
        ServiceBuilder::new()
            .layer(SetRequestIdLayer::new(x_request_id.clone(), MakeUlid))
            .layer(TraceLayer::new_for_http())
            .layer(PropagateRequestIdLayer::new(x_request_id))
            .layer(CatchPanicLayer::new())
            .layer(time_limit())
            .layer(RequestBodyLimitLayer::new(1024 * 1024)),
    )
}
