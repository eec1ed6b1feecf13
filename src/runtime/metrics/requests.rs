//! Requests to the API server, counted below the client by a layer of its own.

use futures::FutureExt;
use http::{Method, Request};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

use crate::runtime::client::around::{Answer, Around};

/// Resources the operator deals with; everything else is `other`, so that the label set is static.
const RESOURCES: [&str; 17] = [
    "configmaps",
    "customresourcedefinitions",
    "deployments",
    "eaiserclusters",
    "events",
    "horizontalpodautoscalers",
    "leases",
    "networkpolicies",
    "persistentvolumeclaims",
    "poddisruptionbudgets",
    "pods",
    "prometheusrules",
    "secrets",
    "serviceaccounts",
    "servicemonitors",
    "services",
    "statefulsets",
];

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Labels {
    verb: &'static str,
    resource: &'static str,
    code: &'static str,
}

/// Counter of requests by verb, resource and class of the answer.
#[derive(Clone)]
pub struct Requests(Family<Labels, Counter>);

impl Requests {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let family = Family::default();
        registry.register(
            "api_requests",
            "Requests to the API server, by verb, resource and class of the answer",
            family.clone(),
        );
        Self(family)
    }

    /// Counts one that was refused because this process does not hold the lease.
    pub fn fenced(&self, verb: &'static str, resource: &'static str) {
        self.0.get_or_create(&Labels { verb, resource, code: "fenced" }).inc();
    }

    /// Counts one; `code` is none when no answer came.
    fn count(&self, target: Target, code: Option<u16>) {
        let code = match code {
            Some(200..=299) => "2xx",
            Some(300..=399) => "3xx",
            Some(400..=499) => "4xx",
            Some(500..=599) => "5xx",
            Some(_) => "other",
            None => "none",
        };
        self.0.get_or_create(&Labels { verb: target.verb, resource: target.resource, code }).inc();
    }
}

/// What a request is about, in the words of the API server's own audit log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target {
    /// `get`, `list`, `watch`, `create`, `update`, `patch`, `delete` or `other`.
    pub verb: &'static str,
    /// The resource, or `other`.
    pub resource: &'static str,
}

impl Target {
    /// Reads it from method and path.
    pub fn of<B>(request: &Request<B>) -> Self {
        let mut path = request.uri().path().split('/').filter(|part| !part.is_empty());
        match path.next() {
            Some("api") => _ = path.next(),
            Some("apis") => _ = path.nth(1),
            _ => return Self { verb: "other", resource: "other" },
        }
        let mut rest: Vec<&str> = path.collect();
        // /namespaces/NAME/RESOURCE is about the resource, /namespaces/NAME about the namespace.
        if rest.first() == Some(&"namespaces") && rest.len() > 2 {
            rest.drain(..2);
        }
        let named = rest.len() > 1;
        let wanted = rest.first().copied().unwrap_or_default();
        let resource = RESOURCES.into_iter().find(|resource| *resource == wanted).unwrap_or("other");
        let query = request.uri().query().unwrap_or_default();
        let watches = query.split('&').any(|part| part == "watch=true");
        let verb = match *request.method() {
            Method::GET if named => "get",
            Method::GET if watches => "watch",
            Method::GET => "list",
            Method::POST => "create",
            Method::PUT => "update",
            Method::PATCH => "patch",
            Method::DELETE => "delete",
            _ => "other",
        };
        Self { verb, resource }
    }

    /// Whether it opens a watch.
    pub fn watches(self) -> bool {
        self.verb == "watch"
    }

    /// Whether it is about the lease that operators lead by.
    pub fn is_lease(self) -> bool {
        self.resource == "leases"
    }

    /// Whether it may change something.
    pub fn writes(self) -> bool {
        !matches!(self.verb, "get" | "list" | "watch")
    }
}

impl Around for Requests {
    fn around<B, R: 'static>(
        &self,
        request: Request<B>,
        send: impl FnOnce(Request<B>) -> Answer<R>,
    ) -> Answer<R> {
        let target = Target::of(&request);
        let requests = self.clone();
        let answered = send(request).inspect(move |answer| {
            requests.count(target, answer.as_ref().ok().map(|answer| answer.status().as_u16()));
        });
        answered.boxed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(method: Method, uri: &str) -> (&'static str, &'static str) {
        let target = Target::of(&Request::builder().method(method).uri(uri).body(()).unwrap());
        (target.verb, target.resource)
    }

    #[test]
    fn a_request_is_named_as_the_audit_log_names_it() {
        let cases = [
            (Method::GET, "/api/v1/pods?labelSelector=a&watch=true", ("watch", "pods")),
            (Method::GET, "/api/v1/namespaces/shop/secrets?limit=50", ("list", "secrets")),
            (
                Method::PATCH,
                "/apis/apps/v1/namespaces/shop/deployments/a?force=true",
                ("patch", "deployments"),
            ),
            (
                Method::PATCH,
                "/apis/eaiser.io/v1alpha1/namespaces/shop/eaiserclusters/a/status",
                ("patch", "eaiserclusters"),
            ),
            (Method::PUT, "/apis/coordination.k8s.io/v1/namespaces/shop/leases/a", ("update", "leases")),
            (Method::DELETE, "/api/v1/namespaces/shop/pods/a", ("delete", "pods")),
            (Method::GET, "/api/v1/namespaces/shop", ("get", "other")),
            (Method::GET, "/apis/monitoring.coreos.com/v1", ("list", "other")),
            (Method::GET, "/version", ("other", "other")),
        ];
        for (method, uri, expected) in cases {
            assert_eq!(target(method, uri), expected, "{uri}");
        }
    }

    #[test]
    fn whatever_may_change_something_is_a_write() {
        for method in [Method::POST, Method::PUT, Method::PATCH, Method::DELETE, Method::OPTIONS] {
            let request = Request::builder().method(method).uri("/api/v1/pods").body(()).unwrap();
            assert!(Target::of(&request).writes());
        }
        let request = Request::builder().uri("/api/v1/pods").body(()).unwrap();
        assert!(!Target::of(&request).writes());
    }
}
