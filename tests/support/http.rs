//! Requests to the gateway as a client inside the cluster sends them, one by one or as a load.

use std::io::Cursor;
use std::time::Duration;

use http::{Method, Request};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;

use super::World;
use super::cluster::NAME;

/// Longest wait for one answer.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Longest pause of writes while a primary hands over, on busy nodes.
const PAUSE_AT_MOST: Duration = Duration::from_secs(10);
/// A deposed primary notices within one election time-out.
const STALE_AT_MOST: Duration = Duration::from_secs(10);

/// What came back.
#[derive(Clone, Debug)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// `X-Cache`, where the backend sets it.
    pub cache: Option<String>,
    /// The body; null when it is not JSON.
    pub body: Value,
}

/// What a load counted.
#[derive(Debug, Default)]
pub struct Tally {
    /// Requests sent.
    pub sent: usize,
    /// Those not answered with 200, and how.
    pub failed: Vec<String>,
}

/// URL of a path at the cluster's gateway.
pub fn gateway(world: &World, path: &str) -> String {
    format!("http://{NAME}-gateway.{}.svc.cluster.local{path}", world.namespace)
}

/// A GET; failures of the connection come back as text.
pub async fn get(url: &str) -> Result<Answer, String> {
    send(&client(), Method::GET, url, None).await
}

/// A GET of anything that is text.
pub async fn text(url: &str) -> Result<String, String> {
    let request = Request::get(url).body(Full::default()).map_err(|error| error.to_string())?;
    let response = client().request(request).await.map_err(|error| format!("{error:?}"))?;
    let bytes = response.into_body().collect().await.map_err(|error| error.to_string())?.to_bytes();
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// A POST of JSON.
pub async fn post(url: &str, body: &Value) -> Result<Answer, String> {
    send(&client(), Method::POST, url, Some(body)).await
}

/// A POST that is sent again while the backend asks for that with 503: a primary that hands over pauses
/// writes for a second or two.
pub async fn post_again(url: &str, body: &Value) -> Result<Answer, String> {
    let begin = tokio::time::Instant::now();
    loop {
        let answer = post(url, body).await?;
        if answer.status != 503 || begin.elapsed() >= PAUSE_AT_MOST {
            return Ok(answer);
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// Reads what was acknowledged a moment ago. A member that does not know yet that it is primary no more
/// may answer a read from what it has (MongoDB manual, "Read Isolation, Consistency, and Recency"), so
/// a 404 counts only when it lasts; so does a 503, as for a POST.
pub async fn read_back(url: &str) -> Result<(), String> {
    let begin = tokio::time::Instant::now();
    loop {
        let read = get(url).await?;
        match read.status {
            200 => return Ok(()),
            404 | 503 if begin.elapsed() < STALE_AT_MOST => {
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
            _ => return Err(format!("GET {url}: {read:?}")),
        }
    }
}

/// Sends `rate` GETs a second for `duration`, whether or not earlier ones were answered, each over a
/// connection of its own so that every gateway pod gets its share.
pub async fn load(url: &str, rate: u32, duration: Duration) -> Tally {
    let client = client();
    let mut tick = tokio::time::interval(Duration::from_secs(1) / rate);
    let mut requests = Vec::new();
    for _ in 0..u64::from(rate) * duration.as_secs() {
        tick.tick().await;
        let (client, url) = (client.clone(), url.to_owned());
        requests.push(tokio::spawn(async move { send(&client, Method::GET, &url, None).await }));
    }
    let mut tally = Tally { sent: requests.len(), failed: Vec::new() };
    for request in requests {
        match request.await.unwrap() {
            Ok(answer) if answer.status == 200 => {}
            other => tally.failed.push(format!("{other:?}")),
        }
    }
    tally
}

type HttpClient = Client<HttpConnector, Full<Cursor<Vec<u8>>>>;

fn client() -> HttpClient {
    Client::builder(TokioExecutor::new()).pool_max_idle_per_host(0).build_http()
}

async fn send(
    client: &HttpClient,
    method: Method,
    url: &str,
    body: Option<&Value>,
) -> Result<Answer, String> {
    let mut request = Request::builder().method(method).uri(url);
    if body.is_some() {
        request = request.header("content-type", "application/json");
    }
    let content = body.map(|body| body.to_string().into_bytes()).unwrap_or_default();
    let request = request.body(Full::new(Cursor::new(content))).map_err(|error| error.to_string())?;
    let exchange = async {
        let response = client.request(request).await.map_err(|error| format!("{error:?}"))?;
        let status = response.status().as_u16();
        let cache =
            response.headers().get("x-cache").and_then(|value| value.to_str().ok()).map(str::to_owned);
        let bytes = response.into_body().collect().await.map_err(|error| error.to_string())?.to_bytes();
        Ok(Answer { status, cache, body: serde_json::from_slice(&bytes).unwrap_or_default() })
    };
    let timeout = || Err(format!("no answer within {} s", TIMEOUT.as_secs()));
    tokio::time::timeout(TIMEOUT, exchange).await.unwrap_or_else(|_| timeout())
}
