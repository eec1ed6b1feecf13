//! Patience with an API server in trouble, as a layer below the client: no request waits for ever, a
//! server that asks for a pause gets it, reads that fail over and over become few, and a watch that
//! ends at once is not reopened at once. IO.
//!
//! Nothing is repeated here. Passes and watches repeat what failed, after delays of their own that
//! grow; were each request repeated as well, the two would multiply.

mod pauses;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures::FutureExt;
use http::{Method, Request, Response, StatusCode, header};

use super::client::around::{Answer, Around};
use super::metrics::requests::Target;
use pauses::Pauses;

/// Longest wait for an answer. A write may wait for other people's admission webhooks, 10 s each by
/// default.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);
/// Longest wait for the answer to a watch to begin, which it does at once.
const WATCH_WITHIN: Duration = Duration::from_secs(10);

/// Why a request has no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Impatient {
    /// It was sent, and nobody knows whether it was carried out.
    #[error("the API server did not answer within {} s", within.as_secs())]
    NoAnswer {
        /// How long it was waited for.
        within: Duration,
    },
    /// It was not sent, because the API server asked for a pause.
    #[error("the API server asked for a pause that is not over")]
    Paused {
        /// How long the pause still lasts.
        left: Duration,
    },
    /// It was not sent, because too many reads have failed lately.
    #[error("the API server fails; it is asked again in a moment")]
    Failing,
    /// It was not sent: the same watch was opened a moment ago and has ended already.
    #[error("the API server ended this watch as soon as it began")]
    Reopened,
}

impl Impatient {
    /// What is left of a pause that the API server asked for, if that is why something failed.
    pub fn pause_in(error: &(dyn std::error::Error + 'static)) -> Option<Duration> {
        let mut causes = std::iter::successors(Some(error), |error| error.source());
        causes.find_map(|cause| match cause.downcast_ref() {
            Some(Self::Paused { left }) => Some(*left),
            _ => None,
        })
    }
}

/// The layer.
#[derive(Clone, Default)]
pub struct Patience(Arc<Mutex<Pauses>>);

impl Patience {
    fn pauses<T>(&self, look: impl FnOnce(&mut Pauses) -> T) -> T {
        look(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Whether a request may be sent now.
    fn allows<B>(&self, request: &Request<B>, now: Instant) -> Result<(), Impatient> {
        // Who leads must stay known, whatever the others are asked.
        if Target::of(request).is_lease() {
            return Ok(());
        }
        self.pauses(|pauses| {
            if let Some(left) = pauses.left(now) {
                return Err(Impatient::Paused { left });
            }
            if request.method() == Method::GET && !pauses.may_fail(now) {
                return Err(Impatient::Failing);
            }
            let opens = !Target::of(request).watches() || pauses.may_open(&selection(request), now);
            if opens { Ok(()) } else { Err(Impatient::Reopened) }
        })
    }

    /// Remembers the pause that an answer asks for.
    fn listen<B>(&self, answer: &Response<B>, now: Instant) {
        let refused =
            matches!(answer.status(), StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE);
        let wanted = answer.headers().get(header::RETRY_AFTER);
        let seconds = wanted.and_then(|value| value.to_str().ok()?.parse().ok());
        if let (true, Some(seconds)) = (refused, seconds) {
            self.pauses(|pauses| pauses.begin(Duration::from_secs(seconds), now));
        }
    }
}

/// What a watch selects; several watches of one path differ in it.
fn selection<B>(request: &Request<B>) -> String {
    let query = request.uri().query().unwrap_or_default();
    let selectors = query.split('&').filter(|pair| pair.contains("Selector="));
    std::iter::once(request.uri().path()).chain(selectors).collect::<Vec<_>>().join("&")
}

impl Around for Patience {
    fn around<B, R: 'static>(
        &self,
        request: Request<B>,
        send: impl FnOnce(Request<B>) -> Answer<R>,
    ) -> Answer<R> {
        if let Err(reason) = self.allows(&request, Instant::now()) {
            return async move { Err(reason.into()) }.boxed();
        }
        let reads = request.method() == Method::GET;
        let within = if Target::of(&request).watches() { WATCH_WITHIN } else { ANSWER_WITHIN };
        let answer = send(request);
        let patience = self.clone();
        async move {
            let answer = tokio::time::timeout(within, answer).await;
            let answer = answer.unwrap_or_else(|_| Err(Impatient::NoAnswer { within }.into()));
            let now = Instant::now();
            if reads && !answer.as_ref().is_ok_and(|answer| answer.status().is_success()) {
                patience.pauses(|pauses| pauses.failed(now));
            }
            let answer = answer?;
            patience.listen(&answer, now);
            Ok(answer)
        }
        .boxed()
    }
}

#[cfg(test)]
mod tests {
    use tower::{Layer, Service};
    use tower_test::mock::{self, Handle, Mock};

    use super::*;
    use crate::runtime::client::around::{Inside, Layered};

    type Server = Handle<Request<()>, Response<()>>;
    type Client = Inside<Mock<Request<()>, Response<()>>, Patience>;

    const SERVICES: &str = "/api/v1/namespaces/shop/services";
    const LEASE: &str = "/apis/coordination.k8s.io/v1/namespaces/shop/leases/eaiser-operator";

    fn patient() -> (Client, Server) {
        let (service, mut server) = mock::pair();
        server.allow(99);
        (Layered(Patience::default()).layer(service), server)
    }

    /// Sends a GET; the server's answer, where it is asked.
    async fn get(
        client: &mut Client,
        server: &mut Server,
        uri: &str,
        answer: Response<()>,
    ) -> Result<StatusCode, String> {
        std::future::poll_fn(|context| client.poll_ready(context)).await.unwrap();
        let request = Request::get(uri).body(()).unwrap();
        let asked = client.call(request);
        let serve = async {
            if let Some((_, respond)) = server.next_request().await {
                respond.send_response(answer);
            }
        };
        let answer = tokio::select! {
            answer = asked => answer,
            () = async { serve.await; std::future::pending().await } => unreachable!(),
        };
        answer.map(|answer| answer.status()).map_err(|error| error.to_string())
    }

    fn ok() -> Response<()> {
        Response::new(())
    }

    fn refusal(status: StatusCode, retry_after: &str) -> Response<()> {
        Response::builder().status(status).header(header::RETRY_AFTER, retry_after).body(()).unwrap()
    }

    #[tokio::test]
    async fn after_a_refusal_with_retry_after_nothing_is_sent_but_the_lease() {
        for status in [StatusCode::TOO_MANY_REQUESTS, StatusCode::SERVICE_UNAVAILABLE] {
            let (mut client, mut server) = patient();
            let refused = get(&mut client, &mut server, SERVICES, refusal(status, "7")).await;
            assert_eq!(refused, Ok(status));
            let held = get(&mut client, &mut server, SERVICES, ok()).await;
            assert_eq!(held, Err(Impatient::Paused { left: Duration::ZERO }.to_string()));
            assert_eq!(get(&mut client, &mut server, LEASE, ok()).await, Ok(StatusCode::OK));
        }
    }

    #[tokio::test]
    async fn other_answers_and_unreadable_pauses_hold_nothing_back() {
        for answer in [
            ok(),
            refusal(StatusCode::INTERNAL_SERVER_ERROR, "7"),
            refusal(StatusCode::TOO_MANY_REQUESTS, "soon"),
            refusal(StatusCode::TOO_MANY_REQUESTS, "-1"),
        ] {
            let (mut client, mut server) = patient();
            let status = answer.status();
            assert_eq!(get(&mut client, &mut server, SERVICES, answer).await, Ok(status));
            assert_eq!(get(&mut client, &mut server, SERVICES, ok()).await, Ok(StatusCode::OK));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_without_an_answer_is_given_up() {
        let (mut client, _silent) = patient();
        std::future::poll_fn(|context| client.poll_ready(context)).await.unwrap();
        let begin = tokio::time::Instant::now();
        let answer = client.call(Request::patch(SERVICES).body(()).unwrap()).await;
        assert!(answer.unwrap_err().to_string().contains("did not answer within 30 s"));
        assert_eq!(begin.elapsed(), ANSWER_WITHIN);
        let watch = format!("{SERVICES}?watch=true");
        std::future::poll_fn(|context| client.poll_ready(context)).await.unwrap();
        drop(client.call(Request::get(watch).body(()).unwrap()).await.unwrap_err());
        assert_eq!(begin.elapsed(), ANSWER_WITHIN + WATCH_WITHIN);
    }

    #[tokio::test]
    async fn reads_that_fail_over_and_over_are_held_back_and_writes_are_not() {
        let patience = Patience::default();
        let (service, mut server) = mock::pair();
        server.allow(99);
        let mut client = Layered(patience.clone()).layer(service);
        let failure = || Response::builder().status(StatusCode::INTERNAL_SERVER_ERROR).body(()).unwrap();
        let mut sent = 0;
        while get(&mut client, &mut server, SERVICES, failure()).await.is_ok() {
            sent += 1;
        }
        assert!((10..40).contains(&sent), "{sent} failing reads were sent in a row");
        let write = Request::patch(SERVICES).body(()).unwrap();
        assert_eq!(patience.allows(&write, Instant::now()), Ok(()));
    }

    #[test]
    fn a_pause_is_found_below_the_errors_that_wrap_it() {
        #[derive(Debug, thiserror::Error)]
        #[error("cannot apply it")]
        struct Wrapped(#[source] kube::Error);
        let wrap = |reason: Impatient| Wrapped(kube::Error::Service(reason.into()));
        let left = Duration::from_secs(3);
        assert_eq!(Impatient::pause_in(&wrap(Impatient::Paused { left })), Some(left));
        assert_eq!(Impatient::pause_in(&wrap(Impatient::Reopened)), None);
    }

    #[tokio::test]
    async fn a_watch_that_was_opened_a_moment_ago_is_not_opened_again() {
        let (mut client, mut server) = patient();
        let watch = format!("{SERVICES}?watch=true&resourceVersion=7");
        assert_eq!(get(&mut client, &mut server, &watch, ok()).await, Ok(StatusCode::OK));
        let again = get(&mut client, &mut server, &watch, ok()).await;
        assert_eq!(again, Err(Impatient::Reopened.to_string()));
        let selected = format!("{SERVICES}?watch=true&fieldSelector=a%3Db&resourceVersion=7");
        for other in ["/api/v1/namespaces/shop/secrets?watch=true", &selected] {
            assert_eq!(get(&mut client, &mut server, other, ok()).await, Ok(StatusCode::OK));
        }
        assert_eq!(get(&mut client, &mut server, SERVICES, ok()).await, Ok(StatusCode::OK));
    }
}
