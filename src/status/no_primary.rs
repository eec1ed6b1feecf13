//! The verdict on a replica set without a primary, and the way out. Pure.

use super::Pass;
use super::condition::{Verdict, reason};
use crate::desired::stage::{Progress, Stage};
use crate::mongo::forced;
use crate::mongo::outage::{Kind, Outage};
use crate::names::ANNOTATION_FORCE;

/// An election passes, and a pod that fails explains it best. A lost majority comes first: it is the
/// greater evil, and the pods are named in it.
pub(super) fn verdict(pass: &Pass<'_>, outage: &Outage, failing_pod: Option<Verdict>) -> Verdict {
    let message = format!("MongoDB: {}{}", outage.message, way_out(pass, outage.kind));
    if outage.kind != Kind::MajorityLost {
        return failing_pod.unwrap_or_else(|| Verdict::off(reason::NO_PRIMARY, message));
    }
    // A cluster that is being started has its members come back one after the other.
    if Stage::of(pass.plan, pass.snapshot).progress == Progress::Starting {
        return Verdict::off(reason::NO_PRIMARY, message);
    }
    let pod = failing_pod.map_or_else(String::new, |verdict| format!("; {}", verdict.message));
    Verdict::failing(reason::MAJORITY_LOST, format!("{message}{pod}"))
}

fn way_out(pass: &Pass<'_>, kind: Kind) -> String {
    match &pass.driven.forced {
        forced::Verdict::Unasked { token } if kind == Kind::MajorityLost && !token.is_empty() => format!(
            "; if they are lost for good, annotation {ANNOTATION_FORCE}={token} on the EaiserCluster makes the others go on without them, and what only they hold is lost"
        ),
        forced::Verdict::Refused(why) | forced::Verdict::NotYet(why) => format!("; {why}"),
        forced::Verdict::Record(record) => format!("; about to force the configuration: {}", record.evidence),
        forced::Verdict::Act(act) => format!("; {}", act.sentence()),
        forced::Verdict::Unasked { .. } | forced::Verdict::Close(_) => String::new(),
    }
}
