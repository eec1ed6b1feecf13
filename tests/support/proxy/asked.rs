//! What a request asks the API server for, read from its method and address alone.

use std::fmt;

use http::{Method, Uri};

/// The API server's own word for a kind of request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verb {
    /// Which kinds a group serves.
    Discover,
    Get,
    List,
    Watch,
    Create,
    Update,
    Patch,
    Delete,
}

impl Verb {
    /// Whether it changes something.
    pub fn writes(self) -> bool {
        matches!(self, Self::Create | Self::Update | Self::Patch | Self::Delete)
    }
}

/// One request.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Asked {
    pub verb: Verb,
    /// Plural of the kind; empty for discovery.
    pub resource: String,
    /// Name of the object; empty when none is named.
    pub name: String,
    /// Such as `status`; mostly empty.
    pub subresource: String,
}

impl Asked {
    /// Reads a request's method and address.
    pub fn of(method: &Method, uri: &Uri) -> Self {
        let mut parts = uri.path().split('/').filter(|part| !part.is_empty());
        // `/api/VERSION/…` or `/apis/GROUP/VERSION/…`.
        let skipped = if parts.next() == Some("apis") { 2 } else { 1 };
        let rest: Vec<&str> = parts.skip(skipped).collect();
        let rest = match rest.as_slice() {
            ["namespaces", _, rest @ ..] if !rest.is_empty() => rest,
            rest => rest,
        };
        let part = |index: usize| rest.get(index).copied().unwrap_or_default().to_owned();
        let query = uri.query().unwrap_or_default();
        let watches = query.split('&').any(|pair| pair == "watch=true" || pair == "watch=1");
        let verb = match *method {
            Method::POST => Verb::Create,
            Method::PUT => Verb::Update,
            Method::PATCH => Verb::Patch,
            Method::DELETE => Verb::Delete,
            _ if rest.is_empty() => Verb::Discover,
            _ if watches => Verb::Watch,
            _ if rest.len() > 1 => Verb::Get,
            _ => Verb::List,
        };
        Self { verb, resource: part(0), name: part(1), subresource: part(2) }
    }

    /// The write as runs are compared by it: an event's name is drawn, and whether it is new or
    /// counted once more depends on what its author remembers.
    pub fn as_write(&self) -> Self {
        if self.resource == "events" {
            Self { verb: Verb::Create, name: String::new(), ..self.clone() }
        } else {
            self.clone()
        }
    }

    /// `resource/name/subresource`, as the audit log writes it.
    pub fn object(&self) -> String {
        let parts = [&self.resource, &self.name, &self.subresource].map(String::as_str);
        parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("/")
    }
}

impl fmt::Display for Asked {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:?} {}", self.verb, self.object())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_address_is_understood() {
        for (method, uri, expected) in [
            (Method::GET, "/apis/eaiser.io/v1alpha1", "Discover "),
            (Method::GET, "/api/v1/namespaces/shop/pods?labelSelector=a%3Db", "List pods"),
            (Method::GET, "/api/v1/namespaces/shop/pods?watch=true&resourceVersion=7", "Watch pods"),
            (Method::GET, "/api/v1/namespaces/shop/secrets/a", "Get secrets/a"),
            (Method::GET, "/api/v1/namespaces/shop", "Get namespaces/shop"),
            (Method::PATCH, "/apis/apps/v1/namespaces/shop/deployments/a?force=true", "Patch deployments/a"),
            (
                Method::PATCH,
                "/apis/eaiser.io/v1alpha1/namespaces/shop/eaiserclusters/a/status",
                "Patch eaiserclusters/a/status",
            ),
            (Method::POST, "/apis/events.k8s.io/v1/namespaces/shop/events?", "Create events"),
            (Method::DELETE, "/api/v1/namespaces/shop/pods/a", "Delete pods/a"),
        ] {
            assert_eq!(Asked::of(&method, &uri.parse().unwrap()).to_string(), expected);
        }
    }
}
