//! What the layers below the client have in common: each sees a request on its way down and the
//! answer on its way up.

use std::task::{Context, Poll};

use futures::FutureExt;
use futures::future::BoxFuture;
use http::{Request, Response};
use tower::{BoxError, Layer, Service};

/// Answer of the API server, or why there is none.
pub(in crate::runtime) type Answer<R> = BoxFuture<'static, Result<Response<R>, BoxError>>;

/// One layer's own part.
pub(in crate::runtime) trait Around: Clone {
    /// Sends the request down with `send`, or refuses it.
    fn around<B, R: 'static>(
        &self,
        request: Request<B>,
        send: impl FnOnce(Request<B>) -> Answer<R>,
    ) -> Answer<R>;
}

/// A layer of the stack.
#[derive(Clone)]
pub(in crate::runtime) struct Layered<A>(pub(in crate::runtime) A);

impl<S, A: Around> Layer<S> for Layered<A> {
    type Service = Inside<S, A>;

    fn layer(&self, inner: S) -> Self::Service {
        Inside { inner, around: self.0.clone() }
    }
}

/// A service with a layer around it.
#[derive(Clone)]
pub(in crate::runtime) struct Inside<S, A> {
    inner: S,
    around: A,
}

impl<S, A, B, R> Service<Request<B>> for Inside<S, A>
where
    A: Around,
    S: Service<Request<B>, Response = Response<R>>,
    S::Future: Send + 'static,
    S::Error: Into<BoxError>,
    R: 'static,
{
    type Response = S::Response;
    type Error = BoxError;
    type Future = Answer<R>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(context).map_err(Into::into)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let Self { inner, around } = self;
        around.around(request, |request| inner.call(request).map(|answer| answer.map_err(Into::into)).boxed())
    }
}
