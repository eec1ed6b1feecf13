//! Asks every node what it sees. IO; never fails: a node that does not answer is an observation.

use std::collections::BTreeSet;

use futures::future::join_all;
use tokio::time::timeout;

use super::client::{Connections, Error, NODE_TIMEOUT};
use super::command::{Command, InfoSection};
use super::parser::{self, ParseError};
use super::topology::{NodeView, Observed, Target, Topology, View};

/// All targets at once; takes as long as the slowest, at most [`NODE_TIMEOUT`].
pub async fn topology(targets: &[Target], connections: &Connections) -> Topology {
    connections.retain(&targets.iter().filter_map(Target::endpoint).collect::<BTreeSet<_>>());
    let looks = targets.iter().map(|target| async {
        let view = look(target, connections).await;
        Observed { target: target.clone(), view }
    });
    Topology { nodes: join_all(looks).await }
}

async fn look(target: &Target, connections: &Connections) -> View {
    let Some(endpoint) = target.endpoint() else {
        return View::Unreachable { reason: "it has no address yet".to_owned() };
    };
    let questions = [
        Command::ClusterNodes,
        Command::ClusterInfo,
        Command::Info(InfoSection::Replication),
        Command::DbSize,
        Command::Info(InfoSection::Server),
    ];
    let answers = timeout(NODE_TIMEOUT, connections.ask(&target.pod, endpoint, &questions)).await;
    match answers {
        Ok(Ok(answers)) => match read(&answers) {
            Ok(view) => View::Node(Box::new(view)),
            Err(error) => View::Refused { reason: format!("unreadable answer: {error}") },
        },
        Ok(Err(Error::Loading { .. })) => View::Loading,
        Ok(Err(error @ (Error::Login { .. } | Error::Rejected { .. } | Error::Replaced { .. }))) => {
            View::Refused { reason: error.to_string() }
        }
        Ok(Err(Error::Unreachable { at, source, .. })) => {
            View::Unreachable { reason: format!("no connection to {at}: {source}") }
        }
        Ok(Err(Error::Timeout { .. })) | Err(_) => {
            View::Unreachable { reason: format!("no answer within {} s", NODE_TIMEOUT.as_secs()) }
        }
    }
}

fn read(answers: &[String]) -> Result<NodeView, ParseError> {
    let answer = |index: usize| answers.get(index).map_or("", String::as_str);
    let entries = parser::cluster_nodes(answer(0))?;
    let myself = entries.iter().find(|entry| entry.flags.myself).map(|entry| entry.id.clone());
    Ok(NodeView {
        id: myself.ok_or(ParseError::Myself { found: 0 })?,
        cluster: parser::cluster_info(answer(1))?,
        replication: parser::replication(answer(2))?,
        keys: answer(3).parse().map_err(|_| ParseError::Field { section: "DBSIZE", field: "count" })?,
        version: parser::version(answer(4)),
        entries,
    })
}
