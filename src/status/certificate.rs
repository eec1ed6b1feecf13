//! The verdict on a replica set whose certificate cannot be used: it serves on, and is not as asked. Pure.

use super::Pass;
use super::condition::{Verdict, reason};

/// The verdicts; MongoDB's names what is wrong with the certificate.
pub(super) fn overlaid(
    pass: &Pass<'_>,
    verdicts: Vec<(&'static str, Verdict)>,
) -> Vec<(&'static str, Verdict)> {
    let Some(fault) = &pass.snapshot.certificates.fault else { return verdicts };
    let overlay = |(name, verdict): (&'static str, Verdict)| match name {
        "MongoDBReady" => (name, named(&verdict, fault)),
        _ => (name, verdict),
    };
    verdicts.into_iter().map(overlay).collect()
}

/// Members go on with the certificate they have, if they have one; so what serves is still ready.
fn named(verdict: &Verdict, fault: &str) -> Verdict {
    let message = format!("{fault}; nothing changes until it can. {}", verdict.message);
    Verdict { reason: reason::CERTIFICATE_REFUSED, message, failing: true, holds: verdict.holds }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_serves_stays_ready_and_is_degraded() {
        let fault = "Secret own does not exist";
        for before in [Verdict::on(reason::FORMED, "all vote"), Verdict::off(reason::FORMING, "MongoDB: add")]
        {
            let after = named(&before, fault);
            assert_eq!((after.holds, after.failing), (before.holds, true));
            assert!(after.message.starts_with("Secret own does not exist;"), "{}", after.message);
            assert!(after.message.ends_with(&before.message));
        }
    }
}
