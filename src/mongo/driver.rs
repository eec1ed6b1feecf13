//! Carries out one step. IO; decides nothing but what an error code means for the step.

pub(super) mod failure;
#[cfg(test)]
mod live_test;

use std::future::IntoFuture;
use std::time::{Duration, Instant};

use thiserror::Error;
use tokio::time::timeout;

use super::config::Malformed;
use super::connections::Connections;
use super::forced;
use super::steps::{Command, Step, command};
use super::topology::Topology;
use super::wanted::Wanted;
use failure::Failure;

/// Longest wait for one command. A step down waits for a secondary, a reconfiguration for a majority.
const STEP_TIMEOUT: Duration = Duration::from_secs(10);

/// What became of a step that did not fail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Carried out, or found carried out already.
    Done,
    /// The set was in the middle of something; the next pass looks again. Not an error.
    Retry {
        /// What the server said.
        reason: String,
    },
}

/// Why a step failed. Never holds a credential.
#[derive(Debug, Error)]
pub enum Error {
    /// The member the step goes to was not asked in this pass.
    #[error("could not {step}: {host} is not connected")]
    NotConnected {
        /// The step, in words.
        step: String,
        /// Member the command was for.
        host: String,
    },
    /// The server refused the command.
    #[error("could not {step}: {host} answered {name} ({code}): {message}")]
    Refused {
        /// The step, in words.
        step: String,
        /// Member asked.
        host: String,
        /// Server error code.
        code: i32,
        /// Name of the code.
        name: String,
        /// Server's sentence.
        message: String,
    },
    /// The login as `__system` was refused.
    #[error("could not {step}: {host} refused the login: {message}")]
    LoginRefused {
        /// The step, in words.
        step: String,
        /// Member asked.
        host: String,
        /// What it said.
        message: String,
    },
    /// The connection broke or no answer came; the command may or may not have been carried out.
    #[error("could not {step}: no answer from {host}: {message}")]
    NoAnswer {
        /// The step, in words.
        step: String,
        /// Member asked.
        host: String,
        /// What happened.
        message: String,
    },
    /// The primary's configuration could not be edited.
    #[error("could not {step}")]
    Malformed {
        /// The step, in words.
        step: String,
        /// What is wrong with it.
        source: Malformed,
    },
}

impl Error {
    /// What the server said, without who was asked for what.
    fn servers_words(&self) -> String {
        match self {
            Self::Refused { code, name, message, .. } => format!("{name} ({code}): {message}"),
            other => other.to_string(),
        }
    }

    /// A stable word for events, metrics and conditions.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::NotConnected { .. } => "MemberNotConnected",
            Self::Refused { .. } => "MemberRefusedCommand",
            Self::LoginRefused { .. } => "MemberRefusedLogin",
            Self::NoAnswer { .. } => "MemberDidNotAnswer",
            Self::Malformed { .. } => "MalformedConfiguration",
        }
    }
}

/// Carries out `step`, which [`super::steps::next`] decided from this very `topology`.
pub async fn run(
    step: &Step,
    wanted: &Wanted,
    topology: &Topology,
    connections: &Connections,
) -> Result<Outcome, Error> {
    let words = || step.to_string();
    let command =
        command(step, wanted, topology).map_err(|source| Error::Malformed { step: words(), source })?;
    let Some(command) = command else {
        return Ok(Outcome::Retry { reason: "the replica set has no primary".to_owned() });
    };
    let host = command.host.clone();
    let outcome = match send(command, connections, words).await? {
        Ok(()) => Ok(Outcome::Done),
        Err(failure) => judge(step, host, failure),
    };
    if let (Step::CreateUser { user } | Step::UpdateUser { user }, Err(refused @ Error::Refused { .. })) =
        (step, &outcome)
        && let Some(wanted) = wanted.user(user)
    {
        connections.refused(wanted, refused.servers_words(), Instant::now());
    }
    outcome
}

/// Carries out what a person asked for, and [`super::forced::next`] decided and wrote down before.
///
/// # Errors
/// Any refusal: what is forced is not tried again without a look at the set.
pub async fn force(act: &forced::Act, connections: &Connections) -> Result<(), Error> {
    let command = act.command();
    let (host, words) = (command.host.clone(), || act.sentence().to_owned());
    match send(command, connections, words).await? {
        Ok(()) => Ok(()),
        Err(failure) => Err(refused(words(), host, failure)),
    }
}

/// Sends one command; the inner result is the server's.
async fn send(
    command: Command,
    connections: &Connections,
    words: impl Fn() -> String,
) -> Result<Result<(), Failure>, Error> {
    let host = command.host;
    let Some(client) = connections.known(&host) else {
        return Err(Error::NotConnected { step: words(), host });
    };
    let database = client.database(&command.database);
    match timeout(STEP_TIMEOUT, database.run_command(command.document).into_future()).await {
        Ok(Ok(_)) => Ok(Ok(())),
        Ok(Err(error)) => Ok(Err(Failure::of(&error))),
        Err(_) => {
            let message = format!("none within {} s", STEP_TIMEOUT.as_secs());
            Err(Error::NoAnswer { step: words(), host, message })
        }
    }
}

fn judge(step: &Step, host: String, failure: Failure) -> Result<Outcome, Error> {
    match failure {
        Failure::Command { code, .. } if failure::is_done(step, code) => Ok(Outcome::Done),
        Failure::Command { code, name, message } if failure::is_passing(step, code) => {
            Ok(Outcome::Retry { reason: format!("{host} answered {name} ({code}): {message}") })
        }
        failure => Err(refused(step.to_string(), host, failure)),
    }
}

fn refused(words: String, host: String, failure: Failure) -> Error {
    match failure {
        Failure::Command { code, name, message } => Error::Refused { step: words, host, code, name, message },
        Failure::Refused { reason } => Error::LoginRefused { step: words, host, message: reason },
        Failure::Unreachable { reason } => Error::NoAnswer { step: words, host, message: reason },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mongo::fixture::{topology, wanted};

    fn answered(step: &Step, code: i32) -> Result<Outcome, Error> {
        let failure = Failure::Command { code, name: "Name".into(), message: "sentence".into() };
        judge(step, "a:27017".into(), failure)
    }

    fn create_user() -> Step {
        Step::CreateUser { user: wanted(1).application_user.user().name }
    }

    fn add() -> Step {
        Step::AddMember { host: "b:27017".into(), id: 1 }
    }

    #[test]
    fn a_second_initiation_and_a_second_user_count_as_done() {
        assert_eq!(answered(&Step::Initiate { host: "a:27017".into() }, 23).unwrap(), Outcome::Done);
        assert_eq!(answered(&create_user(), 51003).unwrap(), Outcome::Done);
    }

    #[test]
    fn a_user_that_is_gone_already_counts_as_dropped_and_never_as_updated() {
        let user = wanted(1).application_user.user().name;
        assert_eq!(answered(&Step::DropUser { user: user.clone() }, 11).unwrap(), Outcome::Done);
        assert!(answered(&Step::UpdateUser { user }, 11).is_err());
    }

    #[test]
    fn a_configuration_in_progress_or_overtaken_is_tried_again() {
        for code in [103, 109, 308] {
            assert!(matches!(answered(&add(), code).unwrap(), Outcome::Retry { .. }), "code {code}");
        }
    }

    #[test]
    fn a_member_that_is_no_longer_primary_is_tried_again() {
        assert!(matches!(answered(&add(), 10107).unwrap(), Outcome::Retry { .. }));
    }

    #[test]
    fn an_unexpected_refusal_is_an_error_with_code_name_and_member() {
        let error = answered(&add(), 13).unwrap_err();
        assert_eq!(error.reason(), "MemberRefusedCommand");
        assert_eq!(
            error.to_string(),
            "could not add b:27017 without a vote: a:27017 answered Name (13): sentence"
        );
    }

    #[test]
    fn already_initialized_is_no_excuse_for_other_steps() {
        assert!(answered(&add(), 23).is_err());
    }

    #[tokio::test]
    async fn without_a_primary_a_step_is_tried_again_and_may_run_on_any_thread() {
        let passing = tokio::spawn(async {
            let (wanted, seen) = (wanted(3), topology("0 SECONDARY vote\n 1 SECONDARY vote"));
            run(&create_user(), &wanted, &seen, &Connections::new()).await
        });
        assert!(matches!(passing.await.unwrap().unwrap(), Outcome::Retry { .. }));
    }

    #[tokio::test]
    async fn a_member_that_was_not_asked_is_named() {
        let seen = topology("0 PRIMARY vote");
        let error = run(&create_user(), &wanted(1), &seen, &Connections::new()).await.unwrap_err();
        assert_eq!(error.reason(), "MemberNotConnected");
        assert!(error.to_string().contains("db-0.db.shop"), "{error}");
    }
}
