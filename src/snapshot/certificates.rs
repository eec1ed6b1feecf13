//! The members' certificate: what our Secret holds, and what shall follow it. Plain data.

use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::jiff::Timestamp;
use kube::ResourceExt;

use super::children::find;
use super::{Children, Reference};
use crate::mongo::authority::Authority;
use crate::mongo::certificate::{Certificate, Demands};
use crate::names::{ANNOTATION_RENEW_AFTER, Identity};
use crate::password::Password;
use crate::plan::Plan;
use crate::plan::mongodb::CertificateSource;

/// Key of the file with certificate and private key in our Secret.
pub const KEY_PEM: &str = "tls.pem";
/// Key of a certificate, in a Secret of type `kubernetes.io/tls`.
pub const KEY_CERTIFICATE: &str = "tls.crt";
/// Key of a private key.
pub const KEY_KEY: &str = "tls.key";
/// Key of the authorities' certificates.
pub const KEY_AUTHORITIES: &str = "ca.crt";
/// Key of the authority's private key, in the Secret that no pod mounts.
pub const KEY_AUTHORITY_KEY: &str = "ca.key";

/// What there is to encrypt with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Certificates {
    /// What our Secret holds.
    pub held: Option<Certificate>,
    /// What it shall hold; none while nothing can be used.
    pub wanted: Option<Certificate>,
    /// When the wanted one is renewed, if that is the operator's task.
    pub renew_after: Option<u64>,
    /// The cluster's own authority, where it has one.
    pub authority: Option<Authority>,
    /// Why what was given cannot be used.
    pub fault: Option<String>,
}

impl Certificates {
    /// For output that people read: what is there, and nothing is made or read from elsewhere.
    pub fn placeholder(plan: &Plan, children: &Children) -> Self {
        let identity = &plan.identity;
        let text = || "<generated>".to_owned();
        let unknown = || Certificate { chain: text(), key: Password::new(text()), authorities: text() };
        let held = held(identity, children);
        let source = plan.mongodb.tls.source.as_ref();
        let (authority, issued) = made_before(identity, children).unzip();
        let own = source.filter(|source| **source == CertificateSource::SelfSigned);
        let drawn = || {
            own.map(|_| Authority {
                name: identity.name.clone(),
                certificate: text(),
                key: Password::new(text()),
            })
        };
        Self {
            wanted: held.clone().or_else(|| source.map(|_| unknown())),
            held,
            renew_after: issued.flatten().map(|issued| issued.renew_after),
            authority: authority.or_else(drawn),
            fault: None,
        }
    }
}

/// What the operator made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SelfSigned {
    /// The authority.
    pub authority: Authority,
    /// What it issued.
    pub issued: Issued,
}

/// A certificate of the operator's making.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issued {
    /// The certificate.
    pub certificate: Certificate,
    /// When another is issued, in seconds since 1970.
    pub renew_after: u64,
}

/// What a certificate must be good for.
pub fn demands(plan: &Plan, now: u64) -> Demands {
    let identity = &plan.identity;
    let name = |ordinal| {
        let host = identity.mongodb_host(&identity.mongodb_pod(ordinal), &plan.cluster_domain);
        host.split(':').next().unwrap_or_default().to_owned()
    };
    Demands { names: (0..plan.mongodb.members).map(name).collect(), now }
}

/// What our Secret holds.
pub fn held(identity: &Identity, children: &Children) -> Option<Certificate> {
    let secret = identity.mongodb_certificate();
    let authorities = children.secret_value(&secret, KEY_AUTHORITIES)?;
    Certificate::of_pem(&children.secret_value(&secret, KEY_PEM)?, authorities.expose().to_owned())
}

/// The authority that the operator made before, and what that issued, as far as they are still there.
pub fn made_before(identity: &Identity, children: &Children) -> Option<(Authority, Option<Issued>)> {
    let value = |key| children.secret_value(&identity.mongodb_authority(), key);
    let certificate = value(KEY_AUTHORITIES)?.expose().to_owned();
    let authority = Authority { name: identity.name.clone(), certificate, key: value(KEY_AUTHORITY_KEY)? };
    let renew_after = find(&children.secrets, &identity.mongodb_certificate()).and_then(renew_after);
    let issued = held(identity, children).zip(renew_after);
    Some((authority, issued.map(|(certificate, renew_after)| Issued { certificate, renew_after })))
}

fn renew_after(secret: &Secret) -> Option<u64> {
    let at: Timestamp = secret.annotations().get(ANNOTATION_RENEW_AFTER)?.parse().ok()?;
    u64::try_from(at.as_second()).ok()
}

/// The certificate in a Secret of somebody's, or what the Secret lacks.
pub fn given(name: &str, found: &Reference) -> Result<Certificate, String> {
    let Reference::Found(values) = found else { return Err(format!("Secret {name} does not exist")) };
    let value = |key: &str| {
        let text = values.get(key).and_then(|bytes| String::from_utf8(bytes.0.clone()).ok());
        text.filter(|text| !text.trim().is_empty()).ok_or_else(|| format!("Secret {name} has no {key}"))
    };
    Ok(Certificate {
        chain: value(KEY_CERTIFICATE)?,
        key: Password::new(value(KEY_KEY)?),
        authorities: value(KEY_AUTHORITIES)?,
    })
}

/// What follows: the one that is offered if it can be used, and what is held if not.
pub fn settle(
    held: Option<Certificate>,
    offered: Result<Certificate, String>,
    source: &str,
    demands: &Demands,
) -> Certificates {
    let usable = offered.and_then(|offered| {
        let stranger = || held.as_ref().and_then(|held| offered.stranger_to(held, demands.now));
        match offered.fault(demands).or_else(stranger) {
            None => Ok(offered),
            Some(fault) => Err(format!("{source} cannot be used: {fault}")),
        }
    });
    match usable {
        Ok(offered) => Certificates { held, wanted: Some(offered), ..Certificates::default() },
        Err(fault) => {
            Certificates { wanted: held.clone(), held, fault: Some(fault), ..Certificates::default() }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use k8s_openapi::ByteString;

    use super::*;
    use crate::mongo::authority::Validity;

    const NOW: u64 = 1_800_000_000;

    fn demands() -> Demands {
        Demands { names: vec!["db-0.db".to_owned()], now: NOW }
    }

    fn certificate(name: &str) -> Certificate {
        let authority = Authority::make("db", NOW).unwrap();
        authority.issue(&[name.to_owned()], Validity { from: NOW, days: 9 }).unwrap()
    }

    fn secret(keys: &[&str]) -> Reference {
        let values = keys.iter().map(|key| ((*key).to_owned(), ByteString(b"x".to_vec())));
        Reference::Found(Arc::new(values.collect()))
    }

    #[test]
    fn a_secret_that_lacks_something_is_named_with_what_it_lacks() {
        let fault = |found: &Reference| given("own", found).unwrap_err();
        assert_eq!(fault(&Reference::Missing), "Secret own does not exist");
        assert_eq!(fault(&secret(&[])), "Secret own has no tls.crt");
        assert_eq!(fault(&secret(&["tls.crt", "tls.key"])), "Secret own has no ca.crt");
        assert!(given("own", &secret(&["tls.crt", "tls.key", "ca.crt"])).is_ok());
    }

    #[test]
    fn one_that_can_be_used_takes_the_place_of_none() {
        let good = certificate("db-0.db");
        let settled = settle(None, Ok(good.clone()), "Secret own", &demands());
        assert_eq!((settled.wanted, settled.fault), (Some(good), None));
    }

    #[test]
    fn one_that_cannot_be_used_changes_nothing_and_is_named() {
        let good = certificate("db-0.db");
        let offers = [
            (
                Ok(certificate("elsewhere")),
                "Secret own cannot be used: the certificate in tls.crt is not valid for db-0.db",
            ),
            (Err("Secret own does not exist".to_owned()), "Secret own does not exist"),
        ];
        for (offered, words) in offers {
            let settled = settle(Some(good.clone()), offered, "Secret own", &demands());
            assert_eq!(settled.wanted.as_ref(), Some(&good));
            assert_eq!(settled.fault.as_deref(), Some(words));
        }
    }

    #[test]
    fn one_of_an_authority_that_nobody_trusts_yet_waits() {
        let (held, offered) = (certificate("db-0.db"), certificate("db-0.db"));
        let settled = settle(Some(held.clone()), Ok(offered), "Secret own", &demands());
        assert_eq!(settled.wanted, Some(held));
        assert!(settled.fault.unwrap().contains("another authority"));
    }
}
