//! An HTTP proxy on loopback between one operator and the API server: it records every request, and
//! by plan refuses, swallows, breaks or delays some, or lets the operator die at one of its writes.
//!
//! What was forwarded is carried out even when the operator is gone: a dead client does not call its
//! requests back.

pub mod asked;
mod body;
pub mod fault;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use http::{Request, Response, StatusCode, Uri, header};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use kube::client::Body;
use kube::config::{AuthInfo, KubeConfigOptions};
use kube::{Client, Config};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use asked::{Asked, Verb};
use body::{AnswerBody, Broken};
use fault::{Fault, Point, Rule, Side};

/// One request that reached the proxy.
#[derive(Clone, Debug)]
pub struct Call {
    pub asked: Asked,
    /// HTTP status of the server's own answer; none while it is out, or when the server never saw it.
    pub code: Option<u16>,
    /// Whether a fault met it.
    pub met: bool,
}

/// Kills the operator.
pub type Kill = Box<dyn FnOnce() + Send>;

/// A running proxy; it stops when this is dropped.
pub struct Proxy {
    /// Where the operator finds it.
    pub url: String,
    shared: Arc<Shared>,
    listener: JoinHandle<()>,
}

struct Shared {
    upstream: Client,
    faults: watch::Sender<Vec<Rule>>,
    record: Mutex<Record>,
}

#[derive(Default)]
struct Record {
    calls: Vec<Call>,
    /// Writes per (verb, object), for the occurrence of a point.
    seen: HashMap<Asked, usize>,
    under_way: usize,
    last_write: Option<Instant>,
    crash: Option<(Point, Kill)>,
}

impl Proxy {
    /// Starts one in front of the API server that `KUBECONFIG` names.
    pub async fn start() -> Self {
        let mut config = Config::from_kubeconfig(&KubeConfigOptions::default()).await.unwrap();
        // The operator's own token passes through, and what fails is the operator's to repeat.
        config.auth_info = AuthInfo::default();
        config.default_retry = false;
        let shared = Arc::new(Shared {
            upstream: Client::try_from(config).unwrap(),
            faults: watch::Sender::new(Vec::new()),
            record: Mutex::default(),
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let listener = tokio::spawn(accept(listener, Arc::clone(&shared)));
        Self { url, shared, listener }
    }

    /// Replaces the faults in force; what hung on the old ones is reset.
    pub fn inject(&self, rules: Vec<Rule>) {
        self.shared.faults.send_replace(rules);
    }

    /// Ends every fault.
    pub fn heal(&self) {
        self.inject(Vec::new());
    }

    /// Lets the operator die at a write that is still to come. Occurrences count from here.
    pub fn crash_at(&self, point: Point, kill: Kill) {
        let mut record = self.shared.record();
        record.seen.clear();
        record.crash = Some((point, kill));
    }

    /// Forgets a crash that was not reached; false when it was.
    pub fn disarm(&self) -> bool {
        self.shared.record().crash.take().is_some()
    }

    /// Forgets the requests so far.
    pub fn restart_record(&self) {
        let mut record = self.shared.record();
        record.calls.clear();
        record.seen.clear();
    }

    /// The requests so far.
    pub fn calls(&self) -> Vec<Call> {
        self.shared.record().calls.clone()
    }

    /// When the last write was asked for or answered.
    pub fn last_write(&self) -> Option<Instant> {
        self.shared.record().last_write
    }

    /// Whether nothing was written for this long and no write is under way.
    pub fn is_quiet(&self, pause: Duration) -> bool {
        let record = self.shared.record();
        record.under_way == 0 && record.last_write.is_none_or(|last| last.elapsed() > pause)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.listener.abort();
    }
}

impl Shared {
    fn record(&self) -> MutexGuard<'_, Record> {
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes the request; its number, and the side on which the operator dies at it.
    fn note(&self, asked: &Asked) -> (usize, Option<Side>) {
        let mut record = self.record();
        record.calls.push(Call { asked: asked.clone(), code: None, met: false });
        let number = record.calls.len() - 1;
        if !asked.verb.writes() {
            return (number, None);
        }
        record.last_write = Some(Instant::now());
        let write = asked.as_write();
        let count = record.seen.entry(write.clone()).or_default();
        *count += 1;
        let count = *count;
        let dies =
            record.crash.as_ref().filter(|(point, _)| point.write == write && point.occurrence == count);
        (number, dies.map(|(point, _)| point.side))
    }

    fn kill(&self) {
        let crash = self.record().crash.take();
        if let Some((_, kill)) = crash {
            kill();
        }
    }

    fn met(&self, number: usize) {
        if let Some(call) = self.record().calls.get_mut(number) {
            call.met = true;
        }
    }

    fn answered(&self, number: usize, code: StatusCode) {
        if let Some(call) = self.record().calls.get_mut(number) {
            call.code = Some(code.as_u16());
        }
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    while let Ok((stream, _)) = listener.accept().await {
        tokio::spawn(serve(stream, Arc::clone(&shared)));
    }
}

/// Serves one connection. A second handle on it decides whether it ends with a reset.
async fn serve(stream: TcpStream, shared: Arc<Shared>) {
    let Ok((stream, handle)) = twice(stream) else { return };
    let service = service_fn(move |request| answer(request, Arc::clone(&shared)));
    let served = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
    if served.is_err() {
        let _ = handle.set_zero_linger();
    }
}

fn twice(stream: TcpStream) -> std::io::Result<(TcpStream, TcpStream)> {
    let stream = stream.into_std()?;
    let copy = stream.try_clone()?;
    Ok((TcpStream::from_std(stream)?, TcpStream::from_std(copy)?))
}

/// An `Err` ends the connection without an answer.
async fn answer(request: Request<Incoming>, shared: Arc<Shared>) -> Result<Response<AnswerBody>, Broken> {
    let asked = Asked::of(request.method(), request.uri());
    let (number, dies) = shared.note(&asked);
    let request = whole(request).await?;
    if let Some(side) = dies {
        if side == Side::After {
            let _ = forward(&shared, number, &asked, request).await;
        }
        shared.kill();
        return Err("the operator died".into());
    }
    match body::met(&shared.faults.subscribe(), &asked) {
        None => pass_on(&shared, number, asked, request).await,
        Some(fault) => {
            shared.met(number);
            meet(fault, &shared, number, &asked, request).await
        }
    }
}

async fn meet(
    fault: Fault,
    shared: &Arc<Shared>,
    number: usize,
    asked: &Asked,
    request: Request<Body>,
) -> Result<Response<AnswerBody>, Broken> {
    match fault {
        Fault::Answer { code, retry_after } => return Ok(body::refusal(code, retry_after)),
        Fault::EndWatch if asked.verb == Verb::Watch => return Ok(body::ended()),
        Fault::Gone if asked.verb == Verb::Watch => return Ok(body::gone()),
        Fault::EndWatch | Fault::Gone => return pass_on(shared, number, asked.clone(), request).await,
        Fault::HangAfter | Fault::ResetAfter => {
            let _ = forward(shared, number, asked, request).await;
        }
        Fault::Partition => body::until_cleared(&mut shared.faults.subscribe(), asked).await,
        Fault::HangBefore | Fault::ResetBefore | Fault::BreakWatch => {}
    }
    if matches!(fault, Fault::HangBefore | Fault::HangAfter) {
        // The client gives up, and its connection ends this.
        std::future::pending::<()>().await;
    }
    Err(format!("injected: {fault:?}").into())
}

async fn pass_on(
    shared: &Arc<Shared>,
    number: usize,
    asked: Asked,
    request: Request<Body>,
) -> Result<Response<AnswerBody>, Broken> {
    let faults = shared.faults.subscribe();
    let response = forward(shared, number, &asked, request).await?;
    let (parts, body) = response.into_parts();
    let body = if asked.verb == Verb::Watch {
        body::running(body, asked, faults)
    } else {
        body::whole(body.collect_bytes().await?)
    };
    Ok(Response::from_parts(parts, body))
}

/// Lets the server carry the request out, whether or not anybody waits for its answer.
async fn forward(
    shared: &Arc<Shared>,
    number: usize,
    asked: &Asked,
    request: Request<Body>,
) -> Result<Response<Body>, Broken> {
    let writes = asked.verb.writes();
    if writes {
        shared.record().under_way += 1;
    }
    let shared = Arc::clone(shared);
    let forwarded = tokio::spawn(async move {
        let result = shared.upstream.send(request).await;
        if let Ok(response) = &result {
            shared.answered(number, response.status());
        }
        if writes {
            let mut record = shared.record();
            record.under_way -= 1;
            record.last_write = Some(Instant::now());
        }
        result
    });
    Ok(forwarded.await??)
}

/// The request with its whole body, addressed by path alone as the upstream client wants it.
async fn whole(request: Request<Incoming>) -> Result<Request<Body>, Broken> {
    let (mut parts, body) = request.into_parts();
    parts.headers.remove(header::HOST);
    parts.headers.remove(header::CONNECTION);
    parts.uri = parts.uri.path_and_query().map_or_else(Uri::default, |path| Uri::from(path.clone()));
    let body = body.collect().await?.to_bytes();
    Ok(Request::from_parts(parts, Body::from(body)))
}
