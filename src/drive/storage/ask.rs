//! Asks for other sizes of volumes, and remembers what was answered. IO.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::PersistentVolumeClaim;
use kube::Client;
use kube::api::{Api, Patch, PatchParams};
use kube::core::Status;
use serde_json::json;

use super::{Refusal, Resize};
use crate::names::OPERATOR;
use crate::snapshot::volumes::STORAGE;

/// Reason of the event about a claim that asks for another size.
const RESIZE_VOLUME: &str = "ResizeVolume";
/// Reason of the event about a request that failed for another reason than a refusal.
pub(in crate::drive) const RESIZE_FAILED: &str = "ResizeFailed";
/// A refusal holds this long: nothing tells that a StorageClass or a quota changed, and asking again
/// soon would be a loop.
const REFUSED_FOR: Duration = Duration::from_secs(600);
/// The watch shows an accepted request long before this.
const ACCEPTED_FOR: Duration = Duration::from_secs(10);

/// What came of it: reports as of other steps, and the first refusal.
pub(in crate::drive) type Answer =
    (Vec<Result<(&'static str, String), (&'static str, String)>>, Option<Refusal>);

/// What was asked for each claim last, by its name. Losing it costs a request.
#[derive(Debug, Default)]
pub struct Asked(Mutex<HashMap<String, Request>>);

#[derive(Clone, Debug)]
struct Request {
    uid: String,
    to: String,
    /// None when it was accepted.
    refused: Option<String>,
    at: Instant,
}

impl Asked {
    /// The answer that still holds, if the same was asked before.
    fn known(&self, resize: &Resize, now: Instant) -> Option<Request> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let same = |request: &&Request| (&request.uid, &request.to) == (&resize.uid, &resize.to);
        let request = all.get(&resize.claim).filter(same)?;
        let holds = if request.refused.is_some() { REFUSED_FOR } else { ACCEPTED_FOR };
        (now.duration_since(request.at) < holds).then(|| request.clone())
    }

    fn remember(&self, resize: &Resize, refused: Option<String>, at: Instant) {
        let (uid, to) = (resize.uid.clone(), resize.to.clone());
        let request = Request { uid, to, refused, at };
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(resize.claim.clone(), request);
    }
}

/// Asks for each, until one is refused: the others would be too.
pub(in crate::drive) async fn all(
    client: &Client,
    namespace: &str,
    resizes: &[Resize],
    asked: &Asked,
) -> Answer {
    let claims: Api<PersistentVolumeClaim> = Api::namespaced(client.clone(), namespace);
    let mut reports = Vec::new();
    for resize in resizes {
        let now = Instant::now();
        match asked.known(resize, now) {
            Some(Request { refused: Some(why), .. }) => {
                return (reports, Some(Refusal { resize: resize.clone(), why }));
            }
            Some(_) => continue,
            None => {}
        }
        let Resize { claim, from, to, .. } = resize;
        match request(&claims, resize).await {
            Ok(()) => {
                asked.remember(resize, None, now);
                reports.push(Ok((RESIZE_VOLUME, format!("ask for {to} instead of {from} for {claim}"))));
            }
            Err(kube::Error::Api(status)) if status.is_not_found() || status.is_conflict() => {}
            Err(kube::Error::Api(status)) if is_refusal(&status) => {
                asked.remember(resize, Some(status.message.clone()), now);
                let why = status.message.clone();
                return (reports, Some(Refusal { resize: resize.clone(), why }));
            }
            Err(error) => {
                reports.push(Err((RESIZE_FAILED, format!("cannot ask for {to} for {claim}: {error}"))));
                return (reports, None);
            }
        }
    }
    (reports, None)
}

/// Changes this very claim and nothing of it but the size it asks for.
async fn request(claims: &Api<PersistentVolumeClaim>, resize: &Resize) -> Result<(), kube::Error> {
    let body = json!({
        "metadata": {"uid": resize.uid},
        "spec": {"resources": {"requests": {STORAGE: resize.to}}},
    });
    let parameters = PatchParams { field_manager: Some(OPERATOR.to_owned()), ..PatchParams::default() };
    claims.patch(&resize.claim, &parameters, &Patch::Merge(body)).await.map(drop)
}

/// The server's considered no: repeating the question will not help.
fn is_refusal(status: &Status) -> bool {
    matches!(status.code, 400 | 403 | 422)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resize(to: &str) -> Resize {
        Resize {
            claim: "data-db-0".to_owned(),
            uid: "c-1".to_owned(),
            class: None,
            from: "1Gi".to_owned(),
            to: to.to_owned(),
        }
    }

    #[test]
    fn a_refusal_holds_for_ten_minutes_and_for_the_same_size_only() {
        let (asked, start) = (Asked::default(), Instant::now());
        asked.remember(&resize("2Gi"), Some("no".to_owned()), start);
        let after = |seconds| start + Duration::from_secs(seconds);
        assert!(asked.known(&resize("2Gi"), after(599)).is_some());
        assert!(asked.known(&resize("2Gi"), after(600)).is_none());
        assert!(asked.known(&resize("3Gi"), after(1)).is_none(), "another question");
    }

    #[test]
    fn what_was_accepted_is_not_asked_again_before_the_watch_can_show_it() {
        let (asked, start) = (Asked::default(), Instant::now());
        asked.remember(&resize("2Gi"), None, start);
        assert!(asked.known(&resize("2Gi"), start + Duration::from_secs(9)).is_some());
        assert!(asked.known(&resize("2Gi"), start + Duration::from_secs(10)).is_none());
    }

    #[test]
    fn only_the_servers_considered_no_is_a_refusal() {
        for (code, refusal) in [(403, true), (422, true), (429, false), (500, false), (401, false)] {
            assert_eq!(is_refusal(&Status::failure("", "").with_code(code)), refusal, "{code}");
        }
    }
}
