//! Refuses to change anything once the fence is closed. Below the client, so that no caller can
//! forget it.

use futures::FutureExt;
use http::Request;

use super::around::{Answer, Around};
use crate::fence::{Closed, Fence};
use crate::runtime::metrics::requests::{Requests, Target};

/// The layer.
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

impl Around for Fencing {
    fn around<B, R: 'static>(
        &self,
        request: Request<B>,
        send: impl FnOnce(Request<B>) -> Answer<R>,
    ) -> Answer<R> {
        let target = Target::of(&request);
        // The lease itself is written to open the fence.
        if !target.writes() || target.is_lease() {
            return send(request);
        }
        let Self { fence, requests } = self.clone();
        let refuse = move || {
            requests.fenced(target.verb, target.resource);
            Err(Closed.into())
        };
        if !fence.holds() {
            return async move { refuse() }.boxed();
        }
        let answer = send(request);
        async move {
            // A request may wait for a connection: it is given up when the fence closes before it
            // is sent. The fence is asked first on every wake-up.
            tokio::select! {
                biased;
                () = fence.ended() => refuse(),
                answer = answer => answer,
            }
        }
        .boxed()
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use http::{Method, Response};
    use tower::{BoxError, Layer, Service};
    use tower_test::mock::{self, Handle};

    use super::super::around::{Inside, Layered};
    use super::*;
    use crate::runtime::metrics::Metrics;

    type Server = Handle<Request<()>, Response<()>>;
    type Client = Inside<mock::Mock<Request<()>, Response<()>>, Fencing>;

    fn fenced(fence: &Fence) -> (Client, Server) {
        let (service, server) = mock::pair();
        let fencing = Fencing::new(fence.clone(), Metrics::default().requests);
        (Layered(fencing).layer(service), server)
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
