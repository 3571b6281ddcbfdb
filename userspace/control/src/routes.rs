//! The paths of the admin API.
//!
//! Asking a source may wait (for a lock, for a loop to answer), so it happens on a thread that
//! may, and for a bounded time: a data plane that does not answer gives 503 here, not silence.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Json, Response};
use axum::routing::get;

use crate::exposition;
use crate::metrics;
use crate::source::Source;
use crate::streams::StreamJson;

/// What the handlers share.
#[derive(Clone)]
struct Shared {
    source: Arc<dyn Source>,
    answer_timeout: Duration,
}

/// All paths; anything else is 404, another method 405.
pub(crate) fn router(source: Arc<dyn Source>, answer_timeout: Duration) -> Router {
    Router::new()
        .route("/healthz", get(async || text(StatusCode::OK, "ok\n")))
        .route("/readyz", get(readyz))
        .route("/streams", get(streams))
        .route("/metrics", get(metrics))
        .method_not_allowed_fallback(async || {
            text(
                StatusCode::METHOD_NOT_ALLOWED,
                "only GET and HEAD are allowed\n",
            )
        })
        .fallback(async || {
            text(
                StatusCode::NOT_FOUND,
                "there are /healthz, /readyz, /streams and /metrics\n",
            )
        })
        .with_state(Shared {
            source,
            answer_timeout,
        })
}

async fn readyz(State(shared): State<Shared>) -> Response {
    ask(shared, |source| {
        if source.ready() {
            text(StatusCode::OK, "ready\n")
        } else {
            text(StatusCode::SERVICE_UNAVAILABLE, "not ready\n")
        }
    })
    .await
}

async fn streams(State(shared): State<Shared>) -> Response {
    ask(shared, |source| {
        let streams = source.streams();
        let list: Vec<_> = streams.iter().map(StreamJson::from).collect();
        ([(header::CACHE_CONTROL, "no-store")], Json(list)).into_response()
    })
    .await
}

async fn metrics(State(shared): State<Shared>) -> Response {
    ask(shared, |source| {
        let kernel = source.in_kernel();
        let (counters, streams) = (source.counters(), source.streams());
        let page = metrics::render(source.ready(), &counters, &streams, kernel.as_ref());
        typed(StatusCode::OK, exposition::CONTENT_TYPE, page)
    })
    .await
}

/// Runs `answer` where it may wait, but not for ever.
async fn ask(shared: Shared, answer: fn(&dyn Source) -> Response) -> Response {
    let Shared {
        source,
        answer_timeout,
    } = shared;
    let task = tokio::task::spawn_blocking(move || answer(source.as_ref()));
    match tokio::time::timeout(answer_timeout, task).await {
        Ok(Ok(response)) => response,
        Ok(Err(error)) => {
            tracing::error!(%error, "an admin request failed");
            text(
                StatusCode::INTERNAL_SERVER_ERROR,
                "failed; the log says why\n",
            )
        }
        Err(_) => text(
            StatusCode::SERVICE_UNAVAILABLE,
            "the data plane does not answer\n",
        ),
    }
}

fn text(status: StatusCode, body: &'static str) -> Response {
    typed(status, "text/plain; charset=utf-8", body.to_owned())
}

fn typed(status: StatusCode, content_type: &'static str, body: String) -> Response {
    let headers = [
        (header::CONTENT_TYPE, content_type),
        (header::CACHE_CONTROL, "no-store"),
    ];
    (status, headers, body).into_response()
}
