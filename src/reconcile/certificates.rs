//! Finds the certificate that members shall use: in a Secret of somebody's, or by making one, which
//! takes the clock and randomness.

use super::Context;
use super::context::Session;
use crate::mongo::authority::{Authority, Validity};
use crate::mongo::certificate::Demands;
use crate::names::Identity;
use crate::plan::Plan;
use crate::plan::mongodb::CertificateSource;
use crate::snapshot::certificates::{self, Certificates, Issued, SelfSigned};
use crate::snapshot::{Children, References};

/// How long a certificate of our own making is valid.
const DAYS: u64 = 365;
/// When it is renewed: a third of its life is left for operators that are away.
const RENEWED_AFTER_DAYS: u64 = 243;
const DAY: u64 = 86_400;

/// What there is to encrypt with; empty while nobody asks for it.
pub(super) fn find(
    plan: &Plan,
    children: &Children,
    references: &References,
    context: &Context,
    session: &Session,
) -> Certificates {
    let identity = &plan.identity;
    let held = certificates::held(identity, children);
    let now = u64::try_from(context.now().0.as_second()).unwrap_or_default();
    let demands = certificates::demands(plan, now);
    match &plan.mongodb.tls.source {
        // Until the last member has restarted without it, it is still in use.
        None => Certificates { wanted: held.clone(), held, ..Certificates::default() },
        Some(CertificateSource::Secret(name)) => match references.0.get(name) {
            Some(found) => {
                let offered = certificates::given(name, found);
                certificates::settle(held, offered, &format!("Secret {name}"), &demands)
            }
            // Its watch has just begun, and brings the next pass.
            None => Certificates { wanted: held.clone(), held, ..Certificates::default() },
        },
        Some(CertificateSource::SelfSigned) => {
            let before = certificates::made_before(identity, children);
            match session.self_signed(|drawn| made(identity, before, drawn, &demands)) {
                Ok(SelfSigned { authority, issued }) => Certificates {
                    renew_after: Some(issued.renew_after),
                    authority: Some(authority),
                    ..certificates::settle(
                        held,
                        Ok(issued.certificate),
                        "the operator's own certificate",
                        &demands,
                    )
                },
                Err(error) => {
                    let fault = format!("the operator cannot make a certificate: {error}");
                    Certificates { wanted: held.clone(), held, fault: Some(fault), ..Certificates::default() }
                }
            }
        }
    }
}

/// What was made before while it is good, and else what is still to be written or made now.
fn made(
    identity: &Identity,
    before: Option<(Authority, Option<Issued>)>,
    drawn: Option<SelfSigned>,
    demands: &Demands,
) -> Result<SelfSigned, rcgen::Error> {
    let now = demands.now;
    let good = |issued: &Issued| now < issued.renew_after && issued.certificate.fault(demands).is_none();
    let (authority, issued) = before.unzip();
    if let Some((authority, issued)) = authority.clone().zip(issued.flatten().filter(good)) {
        return Ok(SelfSigned { authority, issued });
    }
    let of_this = |made: &SelfSigned| authority.as_ref().is_none_or(|authority| *authority == made.authority);
    if let Some(drawn) = drawn.filter(of_this).filter(|made| good(&made.issued)) {
        return Ok(drawn);
    }
    let authority = authority.map_or_else(|| Authority::make(&identity.name, now), Ok)?;
    let valid = Validity { from: now - DAY, days: DAYS };
    let certificate = authority.issue(&names(identity, demands), valid)?;
    let issued = Issued { certificate, renew_after: now + RENEWED_AFTER_DAYS * DAY };
    Ok(SelfSigned { authority, issued })
}

/// Any member's name, so that a set that grows needs no other certificate.
fn names(identity: &Identity, demands: &Demands) -> Vec<String> {
    let member = demands.names.first().and_then(|name| name.split_once('.'));
    let any = member.map(|(_, rest)| format!("*.{rest}"));
    let short = format!("*.{}.{}.svc", identity.mongodb_members(), identity.namespace);
    any.into_iter().chain([short, "localhost".to_owned()]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_800_000_000;

    fn identity() -> Identity {
        Identity { namespace: "shop".to_owned(), name: "eaiser".to_owned(), uid: String::new() }
    }

    fn at(now: u64) -> Demands {
        Demands { names: vec!["eaiser-mongodb-0.eaiser-mongodb.shop.svc.cluster.local".to_owned()], now }
    }

    fn written(made: &SelfSigned) -> (Authority, Option<Issued>) {
        (made.authority.clone(), Some(made.issued.clone()))
    }

    #[test]
    fn a_certificate_is_made_once_and_kept() {
        let first = made(&identity(), None, None, &at(NOW)).unwrap();
        assert_eq!(first.issued.certificate.fault(&at(NOW)), None);
        let drawn = Some(first.clone());
        assert_eq!(made(&identity(), None, drawn, &at(NOW)).unwrap(), first, "until its Secret comes back");
        assert_eq!(made(&identity(), Some(written(&first)), None, &at(NOW)).unwrap(), first);
    }

    #[test]
    fn it_is_renewed_by_the_same_authority_in_time_and_when_it_is_gone() {
        let first = made(&identity(), None, None, &at(NOW)).unwrap();
        let later = at(first.issued.renew_after);
        let gone = (first.authority.clone(), None);
        for (before, demands) in [(written(&first), &later), (gone, &at(NOW))] {
            let renewed = made(&identity(), Some(before), None, demands).unwrap();
            assert_eq!(renewed.authority, first.authority);
            let renewed = renewed.issued.certificate;
            assert_ne!(renewed, first.issued.certificate);
            assert_eq!(renewed.stranger_to(&first.issued.certificate, demands.now), None);
            assert_eq!(renewed.fault(demands), None);
        }
    }

    #[test]
    fn one_that_was_drawn_for_an_authority_nobody_wrote_is_not_used() {
        let [ours, theirs] = [(); 2].map(|()| made(&identity(), None, None, &at(NOW)).unwrap());
        let renewed = made(&identity(), Some((theirs.authority.clone(), None)), Some(ours), &at(NOW));
        assert_eq!(renewed.unwrap().authority, theirs.authority);
    }
}
