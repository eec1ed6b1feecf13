//! What a person needs to see when a scenario failed.

use super::{World, operator};

/// Lines of the operator's log that are shown.
const LOG_LINES: usize = 60;

/// Prints conditions, events, pods and the end of the operator's log.
pub fn print(world: &World) {
    let conditions = "jsonpath={range .items[*]}{.metadata.name}{\": \"}{.status.message}{\"\\n\"}{range .status.conditions[*]}  {.type}={.status} {.reason}: {.message}{\"\\n\"}{end}{end}";
    section(world, "conditions", &["get", "eaiserclusters", "--output", conditions]);
    section(world, "pods", &["get", "pods", "--output=wide"]);
    section(world, "events", &["get", "events", "--sort-by=.lastTimestamp"]);
    let log = operator::log(world);
    let lines: Vec<&str> = log.lines().collect();
    println!("--- operator ({} lines, all in {})", lines.len(), world.directory.display());
    println!("{}", lines[lines.len().saturating_sub(LOG_LINES)..].join("\n"));
}

fn section(world: &World, title: &str, arguments: &[&str]) {
    println!("--- {title}");
    match world.kubectl_command(arguments).output() {
        Ok(output) => {
            let text = String::from_utf8_lossy(&output.stdout);
            let lines: Vec<&str> = text.lines().collect();
            println!("{}", lines[lines.len().saturating_sub(LOG_LINES)..].join("\n"));
        }
        Err(error) => println!("kubectl: {error}"),
    }
}
