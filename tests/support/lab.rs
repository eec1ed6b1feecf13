//! The lab's command line.
//!
//! A scenario runs inside the cluster's network namespace, where pods and Services answer; the lab's
//! own commands run in the host's, which the process that started the scenario still lives in.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Environment variable with the lab's name.
pub const NAME: &str = "EAISER_LAB";
/// Process whose network namespace is the host's; set for scenarios inside the lab.
pub const HOST_PROCESS: &str = "EAISER_TEST_HOST_PROCESS";

/// The lab to use, if any.
pub fn name() -> Option<String> {
    std::env::var(NAME).ok().filter(|name| !name.is_empty())
}

/// Root of the repository.
pub fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Where build output goes.
pub fn target() -> PathBuf {
    let chosen = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| PathBuf::from("target"), PathBuf::from);
    repository().join(chosen)
}

/// A command of the lab, run from wherever this process is.
pub fn command(arguments: &[&str]) -> Command {
    let name = name().unwrap_or_else(|| panic!("{NAME} is not set"));
    let mut command = on_host(&repository().join("tests/lab/lab"));
    command.args(["--name", &name]).args(arguments);
    command
}

/// A program that runs in the host's network, from wherever this process is.
pub fn on_host(program: &Path) -> Command {
    match std::env::var(HOST_PROCESS) {
        Ok(process) => {
            let mut command = Command::new("nsenter");
            command.arg(format!("--net=/proc/{process}/ns/net")).arg("--").arg(program);
            command
        }
        Err(_) => Command::new(program),
    }
}

/// Output of a command of the lab; fails with its standard error.
pub fn output(arguments: &[&str]) -> String {
    run(command(arguments))
}

/// Output of any command; fails with its standard error.
pub fn run(mut command: Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("cannot start {command:?}: {error}"));
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    assert!(output.status.success(), "{command:?}: {}: {}", output.status, text(&output.stderr));
    text(&output.stdout)
}
