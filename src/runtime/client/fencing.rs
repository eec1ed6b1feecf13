//! Refuses to change anything once the fence is closed. Below the client, so that no caller can
//! forget it.

use std::task::{Context, Poll};

use futures::FutureExt;
use futures::future::BoxFuture;
use http::{Request, Response};
use tower::{BoxError, Layer, Service};

use crate::fence::{Closed, Fence};
use crate::runtime::metrics::requests::{Requests, Target};

/// The lease itself is written to open the fence.
const LEASES: &str = "leases";

/// Layer that puts the fence around a service.
#[derive(Clone)]
pub(super) struct Fencing {
    fence: Fence,
    requests: Requests,
}

impl Fencing {
    pub(super) fn new(fence: Fence, requests: Requests) -> Self {
        Self { fence, requests }
    }
}

impl<S> Layer<S> for Fencing {
    type Service = Fenced<S>;

    fn layer(&self, inner: S) -> Self::Service {
        Fenced { inner, fencing: self.clone() }
    }
}

/// A service that writes only while the fence is open.
#[derive(Clone)]
pub(super) struct Fenced<S> {
    inner: S,
    fencing: Fencing,
}

impl<S, B, R> Service<Request<B>> for Fenced<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    S::Future: Send + 'static,
    S::Error: Into<BoxError>,
{
    type Response = S::Response;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<Self::Response, BoxError>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(context).map_err(Into::into)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let target = Target::of(&request);
        if !target.writes() || target.resource == LEASES {
            return self.inner.call(request).map(|answer| answer.map_err(Into::into)).boxed();
        }
        let Fencing { fence, requests } = self.fencing.clone();
        let refuse = move || {
            requests.fenced(target.verb, target.resource);
            Err(Closed.into())
        };
        if !fence.holds() {
            return async move { refuse() }.boxed();
        }
        let answer = self.inner.call(request);
        async move {
            // A request may wait for a connection: it is given up when the fence closes before it
            // is sent. The fence is asked first on every wake-up.
            tokio::select! {
                biased;
                () = fence.ended() => refuse(),
                answer = answer => answer.map_err(Into::into),
            }
        }
        .boxed()
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use http::Method;
    use tower_test::mock::{self, Handle};

    use super::*;
    use crate::runtime::metrics::Metrics;

    type Server = Handle<Request<()>, Response<()>>;
    type Client = Fenced<mock::Mock<Request<()>, Response<()>>>;

    fn fenced(fence: &Fence) -> (Client, Server) {
        let (service, server) = mock::pair();
        let fencing = Fencing::new(fence.clone(), Metrics::default().requests);
        (fencing.layer(service), server)
    }

    fn request(method: Method, uri: &str) -> Request<()> {
        Request::builder().method(method).uri(uri).body(()).unwrap()
    }

    fn patch() -> Request<()> {
        request(Method::PATCH, "/api/v1/namespaces/shop/services/a")
    }

    async fn send(service: &mut Client, request: Request<()>) -> Result<Response<()>, BoxError> {
        std::future::poll_fn(|context| service.poll_ready(context)).await?;
        service.call(request).await
    }

    #[tokio::test]
    async fn a_closed_fence_lets_no_write_through() {
        let (mut service, mut server) = fenced(&Fence::closed());
        server.allow(9);
        for method in [Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
            let refused = send(&mut service, request(method, "/api/v1/namespaces/shop/pods/a")).await;
            assert!(refused.unwrap_err().is::<Closed>());
        }
        drop(service);
        assert!(server.next_request().await.is_none(), "a write went out");
    }

    #[tokio::test]
    async fn reads_and_the_lease_pass_a_closed_fence() {
        let (mut service, mut server) = fenced(&Fence::closed());
        let lease = "/apis/coordination.k8s.io/v1/namespaces/shop/leases/eaiser-operator";
        for request in [request(Method::GET, "/api/v1/pods?watch=true"), request(Method::PUT, lease)] {
            let answer = tokio::spawn({
                let mut service = service.clone();
                async move { send(&mut service, request).await }
            });
            server.next_request().await.unwrap().1.send_response(Response::new(()));
            answer.await.unwrap().unwrap();
        }
        drop(send(&mut service, patch()).await.unwrap_err());
    }

    #[tokio::test]
    async fn an_open_fence_lets_a_write_through() {
        let fence = Fence::closed();
        fence.hold_until(Instant::now() + Duration::from_secs(600));
        let (mut service, mut server) = fenced(&fence);
        let answer = tokio::spawn(async move { send(&mut service, patch()).await });
        server.next_request().await.unwrap().1.send_response(Response::new(()));
        answer.await.unwrap().unwrap();
    }

    #[tokio::test]
    async fn a_write_without_an_answer_is_given_up_when_the_fence_closes() {
        let fence = Fence::closed();
        fence.hold_until(Instant::now() + Duration::from_secs(600));
        let (mut service, mut server) = fenced(&fence);
        let answer = tokio::spawn(async move { send(&mut service, patch()).await });
        let silent = server.next_request().await.unwrap();
        fence.close();
        assert!(answer.await.unwrap().unwrap_err().is::<Closed>());
        drop(silent);
    }
}
