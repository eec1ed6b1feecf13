//! Every course a replacement can take in a small world: the operator dies between any two writes,
//! Kubernetes takes its time, a tool puts the annotation back. Searched exhaustively.

use std::collections::BTreeSet;

use super::tests::Case;
use super::*;

/// The member that is replaced, and what is known of it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[allow(clippy::struct_excessive_bools, reason = "each is a fact of its own about the world")]
struct World {
    asked: bool,
    /// Phase and claim of the status that was published last.
    told: Option<(String, Option<String>)>,
    recorded: bool,
    /// Number of the claim; none between two.
    claim: Option<u8>,
    leaving: bool,
    pod: Pod,
    holds_data: bool,
    votes: bool,
    /// Claims deleted so far.
    emptied: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Pod {
    Running,
    Stopping,
    Absent,
}

/// Where a pass ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Death {
    Never,
    BetweenDeletions,
    BeforeStatus,
}

impl World {
    fn new() -> Self {
        Self {
            asked: true,
            told: None,
            recorded: false,
            claim: Some(1),
            leaving: false,
            pod: Pod::Running,
            holds_data: true,
            votes: true,
            emptied: 0,
        }
    }

    fn decided(&self) -> Replacement {
        let state = match (self.pod, self.holds_data) {
            (Pod::Running, true) => "SECONDARY",
            (Pod::Running, false) => "STARTUP2",
            _ => "unreachable",
        };
        let votes = if self.votes { "vote" } else { "no-vote" };
        let seen = format!("0 PRIMARY vote\n 1 {state} {votes}\n 2 SECONDARY vote");
        let mut case = Case::of(self.asked.then_some(super::tests::REQUEST), &seen);
        case = case.with_only_volume(self.claim, self.leaving);
        case = case.with_pod_state(self.pod == Pod::Stopping, self.pod == Pod::Absent);
        case.told(self.told.clone(), self.recorded);
        case.decided()
    }

    /// One pass of the operator.
    fn pass(mut self, death: Death) -> Self {
        let decided = self.decided();
        let caught_up = self.pod == Pod::Running && self.holds_data;
        let due = if caught_up && !self.votes {
            Next::Do(Step::GrantVote { host: super::tests::host() })
        } else {
            Next::Settled
        };
        match decided.overlaid(due) {
            Next::Do(Step::GrantVote { .. }) => self.votes = true,
            Next::Do(Step::RevokeVote { .. }) => self.votes = false,
            Next::Do(other) => panic!("{other}"),
            Next::Wait(_) | Next::Settled => {}
        }
        match &decided.action {
            Some(Action::Empty(emptying)) => {
                if emptying.claim_uid.is_some() {
                    self.leaving = true;
                    self.emptied += 1;
                }
                if death == Death::BetweenDeletions {
                    return self;
                }
                if emptying.pod_uid.is_some() {
                    self.pod = Pod::Stopping;
                }
            }
            Some(Action::Forget { .. }) => self.asked = false,
            Some(Action::Step(_)) | None => {}
        }
        if death != Death::BeforeStatus {
            self.told = decided.current.map(|current| (current.phase, current.claim_uid));
            self.recorded = !decided.done.is_empty();
        }
        self
    }

    /// What Kubernetes and the member do by themselves, if anything is left.
    fn elapsed(&self) -> Option<Self> {
        let mut next = self.clone();
        match (self.pod, self.claim) {
            (Pod::Stopping, _) => next.pod = Pod::Absent,
            (Pod::Absent, Some(_)) if self.leaving => {
                next.claim = None;
                next.leaving = false;
            }
            (Pod::Absent, Some(_)) => next.pod = Pod::Running,
            (Pod::Absent, None) => {
                next.claim = Some(1 + self.emptied);
                next.pod = Pod::Running;
                next.holds_data = false;
            }
            (Pod::Running, Some(_)) if !self.leaving && !self.holds_data => next.holds_data = true,
            _ => return None,
        }
        Some(next)
    }

    fn successors(&self) -> Vec<Self> {
        let deaths = [Death::Never, Death::BetweenDeletions, Death::BeforeStatus];
        let mut all: Vec<Self> = deaths.into_iter().map(|death| self.clone().pass(death)).collect();
        all.extend(self.elapsed());
        // A person withdraws it, and a tool puts it back.
        all.push(Self { asked: !self.asked, ..self.clone() });
        all
    }

    /// Nobody dies or interferes any more.
    fn at_rest(mut self) -> Self {
        for _ in 0..40 {
            let before = self.clone();
            self = self.pass(Death::Never);
            self = self.elapsed().unwrap_or(self);
            if self == before {
                return self;
            }
        }
        panic!("it does not come to rest: {self:?}");
    }
}

#[test]
fn whoever_dies_when_a_member_is_emptied_at_most_once_and_gets_its_vote_back() {
    let (mut seen, mut open) = (BTreeSet::new(), vec![World::new()]);
    while let Some(world) = open.pop() {
        if !seen.insert(world.clone()) {
            continue;
        }
        assert!(world.emptied <= 1, "emptied twice: {world:?}");
        assert!(world.holds_data || !world.votes, "an empty member votes: {world:?}");
        assert!(!world.leaving || !world.votes, "its volume goes before its vote: {world:?}");
        assert!(!world.recorded || world.emptied == 1, "recorded and not done: {world:?}");
        let end = world.clone().at_rest();
        assert!(end.votes && end.holds_data && !end.leaving, "from {world:?} to {end:?}");
        assert!(!end.asked || end.recorded, "asked and not served: {world:?} to {end:?}");
        open.extend(world.successors());
    }
    println!("{} situations", seen.len());
    assert!(seen.len() > 30, "only {} situations", seen.len());
}
