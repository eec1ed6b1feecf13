//! The driver library's errors, reduced to what matters here, and what server codes mean. Pure.

use mongodb::error::ErrorKind;

use crate::mongo::steps::Step;
use crate::mongo::topology::View;

/// Why a command got no result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The server carried on a conversation and refused the login.
    Refused {
        /// What it said.
        reason: String,
    },
    /// The server refused the command.
    Command {
        /// Error code.
        code: i32,
        /// Name of the code.
        name: String,
        /// Sentence.
        message: String,
    },
    /// No connection, or it broke.
    Unreachable {
        /// What happened.
        reason: String,
    },
}

impl Failure {
    /// `replSetGetStatus` on a member without a configuration.
    pub const NOT_YET_INITIALIZED: i32 = 94;
    /// `replSetGetStatus` on a member whose configuration does not list it.
    pub const INVALID_REPLICA_SET_CONFIG: i32 = 93;
    const UNAUTHORIZED: i32 = 13;
    const AUTHENTICATION_FAILED: i32 = 18;

    /// Only the kind is looked at: the full error prints the whole reply.
    pub fn of(error: &mongodb::error::Error) -> Self {
        match error.kind.as_ref() {
            ErrorKind::Authentication { message, .. } => Self::Refused { reason: message.clone() },
            ErrorKind::Command(command) => Self::Command {
                code: command.code,
                name: command.code_name.clone(),
                message: command.message.clone(),
            },
            ErrorKind::Io(error) => Self::unreachable(&error.to_string()),
            ErrorKind::ServerSelection { message, .. } | ErrorKind::ConnectionPoolCleared { message, .. } => {
                Self::unreachable(io_error_in(message))
            }
            other => Self::unreachable(&other.to_string()),
        }
    }

    fn unreachable(reason: &str) -> Self {
        Self::Unreachable { reason: reason.to_owned() }
    }

    /// As the view of the member that was asked.
    pub fn into_view(self) -> View {
        match self {
            Self::Refused { reason } => View::Refused { reason },
            Self::Command { code: Self::UNAUTHORIZED | Self::AUTHENTICATION_FAILED, message, .. } => {
                View::Refused { reason: message }
            }
            Self::Command { code, name, message } => {
                View::Unreachable { reason: format!("it answered {name} ({code}): {message}") }
            }
            Self::Unreachable { reason } => View::Unreachable { reason },
        }
    }
}

/// The library wraps what happened into a description of everything it knows about the server.
fn io_error_in(message: &str) -> &str {
    let error = message.split("I/O error: ").nth(1).and_then(|rest| rest.split(", labels").next());
    error.unwrap_or("no answer in time")
}

/// Whether a refusal says that the step's effect is there already.
pub fn is_done(step: &Step, code: i32) -> bool {
    const ALREADY_INITIALIZED: i32 = 23;
    const USER_ALREADY_EXISTS: i32 = 51003;
    const USER_NOT_FOUND: i32 = 11;
    matches!(
        (step, code),
        (Step::Initiate { .. }, ALREADY_INITIALIZED)
            | (Step::CreateUser { .. }, USER_ALREADY_EXISTS)
            | (Step::DropUser { .. }, USER_NOT_FOUND)
    )
}

/// Whether a refusal passes by itself: an election, a configuration not yet known to a majority, a
/// decision overtaken by another, a name not yet in DNS.
pub fn is_passing(step: &Step, code: i32) -> bool {
    const NOT_FOUND_IN_OWN_CONFIG: i32 = Failure::INVALID_REPLICA_SET_CONFIG;
    // A member looks itself up by the host name it is given, which DNS may not know yet.
    passes(code) || (matches!(step, Step::Initiate { .. }) && code == NOT_FOUND_IN_OWN_CONFIG)
}

/// The same of any command.
pub fn passes(code: i32) -> bool {
    const PASSING: [i32; 15] = [
        50,    // MaxTimeMSExpired
        64,    // WriteConcernFailed
        74,    // NodeNotFound: a quorum check without enough answers
        91,    // ShutdownInProgress
        100,   // UnsatisfiableWriteConcern
        103,   // NewReplicaSetConfigurationIncompatible: among others, a version overtaken
        109,   // ConfigurationInProgress
        117,   // ConflictingOperationInProgress
        189,   // PrimarySteppedDown
        262,   // ExceededTimeLimit: no secondary caught up in time
        308,   // CurrentConfigNotCommittedYet
        10107, // NotWritablePrimary
        11600, // InterruptedAtShutdown
        11602, // InterruptedDueToReplStateChange
        13435, // NotPrimaryNoSecondaryOk
    ];
    PASSING.contains(&code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_login_is_told_apart_from_silence() {
        let refused =
            Failure::Command { code: 18, name: "AuthenticationFailed".into(), message: "no".into() };
        assert_eq!(refused.into_view(), View::Refused { reason: "no".into() });
        let silence = Failure::Unreachable { reason: "connection refused".into() };
        assert_eq!(silence.into_view(), View::Unreachable { reason: "connection refused".into() });
    }

    #[test]
    fn what_happened_is_found_in_the_librarys_long_sentence() {
        let long = "Server selection timeout: No available servers. Topology: { Type: Single, Servers: [ { Address: \
                    127.0.0.1:1, Type: Unknown, Error: Kind: I/O error: Connection refused (os error 111), labels: \
                    {\"RetryableError\"}, source: None, server response: None } ] }";
        assert_eq!(io_error_in(long), "Connection refused (os error 111)");
        assert_eq!(io_error_in("Server selection timeout"), "no answer in time");
    }

    #[test]
    fn a_name_unknown_to_dns_delays_an_initiation_and_fails_a_reconfiguration() {
        let initiate = Step::Initiate { host: "a:27017".into() };
        let grant = Step::GrantVote { host: "a:27017".into() };
        assert!(is_passing(&initiate, 93));
        assert!(!is_passing(&grant, 93));
    }
}
