//! The admin port: health, metrics, and whatever the console adds. A thread of its own with a runtime of its own: nothing
//! here can delay traffic.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread::JoinHandle;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use gateway::Gateway;
use tokio::sync::oneshot;

use super::Error;
use super::metrics::Metrics;

/// The admin port at work.
pub struct Admin {
    address: SocketAddr,
    /// A second hold of the socket, for a successor.
    listener: TcpListener,
    stop: oneshot::Sender<()>,
    thread: JoinHandle<()>,
}

#[derive(Clone)]
struct Shared {
    counters: Arc<gateway::Counters>,
    metrics: Arc<Metrics>,
    token: Option<Arc<str>>,
}

/// Opens the port.
///
/// # Errors
/// [`Error::Admin`].
pub fn bind(addr: SocketAddr) -> Result<TcpListener, Error> {
    let bound = TcpListener::bind(addr).and_then(|listener| {
        listener.set_nonblocking(true)?;
        Ok(listener)
    });
    bound.map_err(|error| Error::Admin { addr, error: crate::config::meant::plain(&error) })
}

/// Starts serving.
///
/// # Errors
/// When the thread cannot be started.
pub fn start(
    listener: TcpListener,
    token: Option<String>,
    gateway: &Gateway,
    metrics: Arc<Metrics>,
    console: Router,
) -> Result<Admin, Error> {
    let address = listener.local_addr().map_err(Error::Thread)?;
    let held = listener.try_clone().map_err(Error::Thread)?;
    let shared = Shared { counters: Arc::clone(gateway.counters()), metrics, token: token.map(Arc::from) };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Error::Thread)?;
    let (stop, stopped) = oneshot::channel();
    let run = move || {
        runtime.block_on(async move {
            let router = Router::new()
                .route("/metrics", get(metrics_text))
                .route("/healthz", get(health))
                .with_state(shared)
                .merge(console);
            // The console tells clients from outside by their address.
            let service = router.into_make_service_with_connect_info::<SocketAddr>();
            match tokio::net::TcpListener::from_std(listener) {
                Ok(listener) => {
                    // Ends at once when told: nobody waits for metrics of a process that is going away.
                    tokio::select! {
                        _ = axum::serve(listener, service).into_future() => {}
                        _ = stopped => {}
                    }
                }
                Err(error) => tracing::error!(%error, "the admin port does not work"),
            }
        });
    };
    let thread = std::thread::Builder::new().name("admin".to_owned()).spawn(run).map_err(Error::Thread)?;
    Ok(Admin { address, listener: held, stop, thread })
}

impl Admin {
    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The socket, to be sent to a successor.
    pub fn listener(&self) -> std::io::Result<TcpListener> {
        self.listener.try_clone()
    }

    /// Ends it.
    pub fn stop(self) {
        let _ = self.stop.send(());
        let _ = self.thread.join();
    }
}

async fn metrics_text(State(shared): State<Shared>, headers: HeaderMap) -> Response {
    if !allowed(&shared, &headers) {
        return (StatusCode::UNAUTHORIZED, [(header::WWW_AUTHENTICATE, "Bearer")], "a token is needed\n")
            .into_response();
    }
    let text = shared.metrics.text(&shared.counters);
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response()
}

/// Whether the process works: for load balancers and service managers. A store that cannot write is worth knowing but no
/// reason to take traffic away.
async fn health(State(shared): State<Shared>) -> Response {
    let store = shared.metrics.store();
    let word = if store.writable { "ok\n" } else { "ok, but the store is not writable\n" };
    (StatusCode::OK, word).into_response()
}

fn allowed(shared: &Shared, headers: &HeaderMap) -> bool {
    let Some(token) = &shared.token else { return true };
    let given = headers.get(header::AUTHORIZATION).map(|value| value.as_bytes()).unwrap_or_default();
    let given = given.strip_prefix(b"Bearer ").unwrap_or_default();
    // Constant time: the comparison must not tell how much of a guess was right.
    aws_lc_rs::constant_time::verify_slices_are_equal(given, token.as_bytes()).is_ok()
}
