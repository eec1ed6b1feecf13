//! The modes of `mongod --tlsMode`, and the way from one to another without an outage. Pure.
//!
//! Members of neighbouring modes understand each other: `allowTLS` takes TLS and speaks plainly,
//! `preferTLS` takes both and speaks TLS. Members further apart do not. So the whole set goes one mode
//! at a time, each a roll; clients change over while both kinds of connections are taken.

/// A value of `--tlsMode`, in the order in which they follow each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Mode {
    /// Takes and makes plain connections.
    Disabled,
    /// Takes both, makes plain ones.
    Allow,
    /// Takes both, makes TLS ones.
    Prefer,
    /// Takes and makes TLS ones.
    Require,
}

/// Every mode, in order.
pub const MODES: [Mode; 4] = [Mode::Disabled, Mode::Allow, Mode::Prefer, Mode::Require];

/// How the set is spoken to now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Situation {
    /// Mode that the template of the members has.
    pub template: Mode,
    /// Modes of the pods that run, those on their way out included.
    pub pods: Vec<Mode>,
    /// Whether the API's template uses TLS; none while there is no such template.
    pub api: Option<bool>,
    /// Whether each pod of the API uses TLS.
    pub api_pods: Vec<bool>,
}

/// What members and API shall be made with now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// Mode of the members' template.
    pub members: Mode,
    /// Whether the API uses TLS.
    pub api: bool,
}

impl Mode {
    /// As mongod's flag has it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Disabled => "disabled",
            Self::Allow => "allowTLS",
            Self::Prefer => "preferTLS",
            Self::Require => "requireTLS",
        }
    }

    /// From the flag's value.
    pub fn of(flag: &str) -> Option<Self> {
        MODES.into_iter().find(|mode| mode.as_str() == flag)
    }

    /// Whether it takes TLS connections.
    pub fn takes_tls(self) -> bool {
        self >= Self::Allow
    }

    /// Whether it takes plain connections.
    pub fn takes_plain(self) -> bool {
        self <= Self::Prefer
    }

    fn before(self) -> Self {
        MODES[(self as usize).saturating_sub(1)]
    }

    fn after(self) -> Self {
        MODES[(self as usize + 1).min(MODES.len() - 1)]
    }
}

/// The next step towards `target`: the mode nearest to it that every member understands which runs
/// now, and that refuses no client. It is read from what runs alone, so a crash loses nothing, and a
/// change of mind halfway turns around.
pub fn next(target: Mode, situation: &Situation) -> Now {
    let Situation { template, pods, api, api_pods } = situation;
    let running = || pods.iter().copied().chain([*template]);
    let (lowest, highest) = (running().min().unwrap_or(*template), running().max().unwrap_or(*template));
    let api_now = if target >= Mode::Prefer {
        lowest.takes_tls() || api.unwrap_or(false)
    } else {
        !highest.takes_plain() && api.unwrap_or(true)
    };
    let mut clients = api_pods.iter().chain(api).copied().chain([api_now]);
    let floor = if clients.clone().any(|tls| tls) { Mode::Allow } else { Mode::Disabled };
    let ceiling = if clients.any(|tls| !tls) { Mode::Prefer } else { Mode::Require };
    let (least, most) = (highest.before().max(floor), lowest.after().min(ceiling));
    // Two members that do not understand each other, by whatever hand: nothing is added to it.
    let members = if least > most { *template } else { target.clamp(least, most) };
    Now { members, api: api_now }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(mode: Mode, api: bool) -> Situation {
        Situation { template: mode, pods: vec![mode; 3], api: Some(api), api_pods: vec![api; 2] }
    }

    #[test]
    fn each_step_begins_when_the_one_before_is_over() {
        use Mode::{Allow, Disabled, Prefer, Require};
        let cases = [
            // (target, all members at, API uses TLS) → (members, API)
            (Require, Disabled, false, Allow, false),
            (Require, Allow, false, Prefer, true),
            (Require, Allow, true, Prefer, true),
            (Require, Prefer, false, Prefer, true),
            (Require, Prefer, true, Require, true),
            (Require, Require, true, Require, true),
            (Prefer, Require, true, Prefer, true),
            (Prefer, Prefer, true, Prefer, true),
            (Disabled, Require, true, Prefer, true),
            (Disabled, Prefer, true, Allow, false),
            (Disabled, Allow, true, Allow, false),
            (Disabled, Allow, false, Disabled, false),
            (Disabled, Disabled, false, Disabled, false),
        ];
        for (target, mode, api, members, api_next) in cases {
            let expected = Now { members, api: api_next };
            assert_eq!(next(target, &all(mode, api)), expected, "{target:?} from {mode:?}, API {api}");
        }
    }

    #[test]
    fn a_roll_that_is_not_over_is_waited_for_or_turned_around() {
        let mut halfway = all(Mode::Prefer, true);
        halfway.pods = vec![Mode::Allow, Mode::Prefer, Mode::Prefer];
        assert_eq!(next(Mode::Require, &halfway).members, Mode::Prefer);
        assert_eq!(next(Mode::Disabled, &halfway).members, Mode::Allow);
    }

    #[test]
    fn plain_connections_are_refused_only_when_no_api_pod_makes_any() {
        let mut rolling = all(Mode::Prefer, true);
        rolling.api_pods = vec![true, false];
        assert_eq!(next(Mode::Require, &rolling).members, Mode::Prefer);
        rolling.api_pods = vec![true, true];
        assert_eq!(next(Mode::Require, &rolling).members, Mode::Require);
    }

    #[test]
    fn tls_is_refused_only_when_no_api_pod_uses_it() {
        let mut rolling = all(Mode::Allow, false);
        rolling.api_pods = vec![false, true];
        assert_eq!(next(Mode::Disabled, &rolling).members, Mode::Allow);
    }

    #[test]
    fn members_that_do_not_understand_each_other_are_left_as_they_are() {
        let mut odd = all(Mode::Require, true);
        odd.pods = vec![Mode::Disabled, Mode::Require, Mode::Require];
        assert_eq!(next(Mode::Require, &odd).members, Mode::Require);
    }

    #[test]
    fn a_set_without_an_api_changes_over_too() {
        let alone = |mode| Situation { template: mode, pods: vec![mode], api: None, api_pods: Vec::new() };
        assert_eq!(next(Mode::Require, &alone(Mode::Prefer)).members, Mode::Require);
        assert_eq!(next(Mode::Disabled, &alone(Mode::Allow)).members, Mode::Disabled);
    }

    /// Members and API pods restart in any order, and the target may change at any moment.
    #[test]
    fn nobody_is_ever_refused_and_every_target_is_reached() {
        let mut seen = std::collections::HashSet::new();
        let mut open: Vec<(Vec<Mode>, Mode, Vec<bool>, bool)> = MODES
            .into_iter()
            .flat_map(|mode| [true, false].map(|api| (vec![mode; 3], mode, vec![api; 2], api)))
            .filter(|(pods, _, _, api)| if *api { pods[0].takes_tls() } else { pods[0].takes_plain() })
            .collect();
        while let Some(world) = open.pop() {
            if !seen.insert(world.clone()) {
                continue;
            }
            let (pods, template, api_pods, api) = &world;
            for (one, other) in pods.iter().flat_map(|one| pods.iter().map(move |other| (one, other))) {
                assert!(one.after() >= *other, "{world:?}: {one:?} beside {other:?}");
            }
            for tls in api_pods {
                let served = |mode: &Mode| if *tls { mode.takes_tls() } else { mode.takes_plain() };
                assert!(pods.iter().all(served), "{world:?}: a client is refused");
            }
            for target in [Mode::Disabled, Mode::Prefer, Mode::Require] {
                let situation = Situation {
                    template: *template,
                    pods: pods.clone(),
                    api: Some(*api),
                    api_pods: api_pods.clone(),
                };
                let now = next(target, &situation);
                open.push((pods.clone(), now.members, api_pods.clone(), now.api));
            }
            for pod in 0..pods.len() {
                let mut pods = pods.clone();
                pods[pod] = *template;
                open.push((pods, *template, api_pods.clone(), *api));
            }
            for pod in 0..api_pods.len() {
                let mut api_pods = api_pods.clone();
                api_pods[pod] = *api;
                open.push((pods.clone(), *template, api_pods, *api));
            }
        }
        for (target, api) in [(Mode::Disabled, false), (Mode::Prefer, true), (Mode::Require, true)] {
            for (pods, template, api_pods, api_now) in &seen {
                let (mut pods, mut template, mut api_pods, mut api_now) =
                    (pods.clone(), *template, api_pods.clone(), *api_now);
                for _ in 0..8 {
                    let situation = Situation { template, pods, api: Some(api_now), api_pods };
                    let now = next(target, &situation);
                    (template, api_now) = (now.members, now.api);
                    (pods, api_pods) = (vec![template; 3], vec![api_now; 2]);
                }
                assert_eq!((template, api_now), (target, api));
            }
        }
        println!("{} states of 3 members and 2 API pods", seen.len());
        assert!(seen.len() > 90, "the search is cut short");
    }
}
