//! Answers on their way back: whole ones, and watch streams that a fault can meet while they run.

use futures::{StreamExt, stream};
use http::{Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Bytes, Frame};
use kube::client::Body;
use serde_json::json;
use tokio::sync::watch;

use super::asked::Asked;
use super::fault::{Fault, Rule};

/// Why an answer breaks off.
pub type Broken = Box<dyn std::error::Error + Send + Sync>;
/// Body of an answer.
pub type AnswerBody = UnsyncBoxBody<Bytes, Broken>;

/// Faults in force; a change wakes whoever waits on them.
pub type Faults = watch::Receiver<Vec<Rule>>;

/// The fault that meets a request now.
pub fn met(faults: &Faults, asked: &Asked) -> Option<Fault> {
    faults.borrow().iter().find(|rule| rule.matching.meets(asked)).map(|rule| rule.fault)
}

/// Waits until no fault meets the request any more.
pub async fn until_cleared(faults: &mut Faults, asked: &Asked) {
    while met(faults, asked).is_some() {
        if faults.changed().await.is_err() {
            return;
        }
    }
}

/// A refusal in the API server's own form.
pub fn refusal(code: u16, retry_after: Option<u64>) -> Response<AnswerBody> {
    let status = status(code);
    let body = json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "code": code,
        "reason": status.canonical_reason().unwrap_or_default().replace(' ', ""),
        "message": "injected by the test's proxy",
    });
    let mut response = Response::builder().status(status).header("content-type", "application/json");
    if let Some(seconds) = retry_after {
        response = response.header("retry-after", seconds);
    }
    response.body(whole(body.to_string())).unwrap()
}

fn status(code: u16) -> StatusCode {
    StatusCode::from_u16(code).unwrap()
}

/// A whole body.
pub fn whole(content: impl Into<Bytes>) -> AnswerBody {
    Full::new(content.into()).map_err(|never| match never {}).boxed_unsync()
}

/// A watch that has not started and whose only event is 410 Gone.
pub fn gone() -> Response<AnswerBody> {
    Response::builder().header("content-type", "application/json").body(whole(gone_event())).unwrap()
}

/// A watch that ends before its first event.
pub fn ended() -> Response<AnswerBody> {
    Response::builder().header("content-type", "application/json").body(whole("")).unwrap()
}

fn gone_event() -> String {
    let status = json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "code": 410,
        "reason": "Expired", "message": "too old resource version: injected by the test's proxy",
    });
    format!("{}\n", json!({"type": "ERROR", "object": status}))
}

/// A running watch: frames pass until a fault meets it.
pub fn running(body: Body, asked: Asked, faults: Faults) -> AnswerBody {
    let state = Some((body, asked, faults));
    let frames = stream::unfold(state, |state| async move {
        let (mut body, asked, mut faults) = state?;
        loop {
            match met(&faults, &asked) {
                Some(Fault::EndWatch) => return None,
                Some(Fault::Gone) => return Some((Ok(Frame::data(Bytes::from(gone_event()))), None)),
                Some(Fault::Partition) => {
                    until_cleared(&mut faults, &asked).await;
                    return Some((Err("the partition cut this watch".into()), None));
                }
                Some(Fault::BreakWatch) => return Some((Err("injected break".into()), None)),
                // The others meet requests, not answers under way.
                None | Some(_) => {}
            }
            tokio::select! {
                frame = body.frame() => {
                    let frame = frame?.map_err(Broken::from);
                    return Some((frame, Some((body, asked, faults))));
                }
                changed = faults.changed() => if changed.is_err() { return None },
            }
        }
    });
    StreamBody::new(frames.boxed()).boxed_unsync()
}
