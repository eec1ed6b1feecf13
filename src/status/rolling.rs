//! Verdicts of tiers whose pods are being replaced: ready as long as they serve. Pure.

use super::Pass;
use super::condition::{Verdict, reason};
use crate::crd::EaiserClusterStatus;
use crate::drive::{self, Roll};

/// The verdicts, with those of tiers that roll in the words of the roll.
pub(super) fn overlaid(
    pass: &Pass<'_>,
    verdicts: Vec<(&'static str, Verdict)>,
    previous: Option<&EaiserClusterStatus>,
) -> Vec<(&'static str, Verdict)> {
    let overlay = |(name, verdict): (&'static str, Verdict)| {
        let (tier, roll, serves) = match name {
            "MongoDBReady" if is_complete(pass) => {
                ("MongoDB", &pass.driven.rolls.mongodb, pass.snapshot.mongodb.serves())
            }
            "RedisReady" => ("Redis", &pass.driven.rolls.redis, pass.snapshot.redis.serves()),
            _ => return (name, verdict),
        };
        let rolled_before = was_rolling(previous, name);
        (name, during_roll(tier, verdict, roll, Service { serves, rolled_before }))
    };
    verdicts.into_iter().map(overlay).collect()
}

/// Every wanted member votes. A set that forms, grows or shrinks has more to tell than its pods do,
/// and is not what the spec asks for, however well it serves.
fn is_complete(pass: &Pass<'_>) -> bool {
    let wanted = drive::mongodb_wanted(pass.plan, pass.snapshot, true);
    pass.snapshot.mongodb.configured().any(|(_, member)| {
        // Members that somebody added by hand are none of the spec's business.
        let ours = || member.config.members.iter().filter(|entry| wanted.pod_of(&entry.host).is_some());
        ours().count() == wanted.members.len() && ours().all(|entry| entry.votes == 1)
    })
}

/// What is known of a tier besides its verdict.
#[derive(Clone, Copy, Debug)]
pub(super) struct Service {
    /// Reads and writes work now.
    pub(super) serves: bool,
    /// The pass before this one saw it roll.
    pub(super) rolled_before: bool,
}

/// What fails stays as it is: a roll must not hide it. The last pod of a roll runs the new template
/// while it starts, so the roll ends only when its tier is as wanted again.
pub(super) fn during_roll(tier: &str, verdict: Verdict, roll: &Roll, service: Service) -> Verdict {
    if verdict.failing {
        return verdict;
    }
    let message = match roll {
        Roll::Rolling { message, .. } => message.clone(),
        Roll::Done if service.rolled_before && !verdict.holds => {
            format!("all pods run the new template; {}", verdict.message)
        }
        Roll::Done => return verdict,
    };
    let message = format!("{tier} is rolling: {message}");
    if service.serves {
        Verdict::on(reason::ROLLING, message)
    } else {
        Verdict::off(reason::ROLLING, message)
    }
}

fn was_rolling(previous: Option<&EaiserClusterStatus>, condition: &str) -> bool {
    let before = previous.into_iter().flat_map(|status| &status.conditions);
    before.into_iter().any(|before| before.type_ == condition && before.reason == reason::ROLLING)
}
