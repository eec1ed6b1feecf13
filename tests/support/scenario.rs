//! Runs one scenario: inside the lab's network, with a namespace, a deadline and a clean-up.

use std::any::type_name;
use std::os::unix::process::CommandExt;
use std::panic::{AssertUnwindSafe, resume_unwind};
use std::process::Command;
use std::time::{Duration, Instant};

use futures::FutureExt;

use super::{World, diagnosis, lab};

/// Path of a file that a scenario inside the lab writes, as proof that it ran.
const INSIDE: &str = "EAISER_TEST_INSIDE";
/// Time beyond a scenario's own deadline for diagnosis and clean-up.
const CLEAN_UP: Duration = Duration::from_secs(180);

/// What a scenario cannot do without.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needs {
    /// Pods that run, their network, and signals to them.
    Lab,
    /// Any API server.
    ApiServer,
}

/// Runs `body` with a namespace of its own; the test function around it gives the name.
pub fn scenario<F>(needs: Needs, deadline: Duration, body: F)
where
    F: AsyncFnOnce(&World),
{
    let name = test_name::<F>();
    if let Some(proof) = std::env::var_os(INSIDE) {
        std::fs::write(proof, name).unwrap();
        return inside(name, deadline, body);
    }
    if lab::name().is_some() {
        return outside(name, deadline + CLEAN_UP);
    }
    match needs {
        Needs::ApiServer if std::env::var_os("KUBECONFIG").is_some() => inside(name, deadline, body),
        Needs::ApiServer => println!("skipped: {name} needs a cluster: set {} or KUBECONFIG", lab::NAME),
        Needs::Lab => println!("skipped: {name} needs the lab: set {}", lab::NAME),
    }
}

/// Path of the test function that holds the closure, as the test harness names it.
fn test_name<F>() -> &'static str {
    let closure = type_name::<F>();
    let path = closure.split_once("::").map_or(closure, |(_, path)| path);
    path.split("::{{closure}}").next().unwrap_or(path)
}

/// Starts this very test again inside the lab's network namespace.
fn outside(name: &str, deadline: Duration) {
    let directory = std::env::temp_dir().join(format!("eaiser-test-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let proof = directory.join(name.replace("::", "-"));
    let test = std::env::current_exe().unwrap();
    let test = test.to_str().unwrap();
    let mut child = lab::command(&[
        "exec",
        "--",
        test,
        "--exact",
        name,
        "--include-ignored",
        "--nocapture",
        "--test-threads=1",
    ])
    .env(INSIDE, &proof)
    .env(lab::HOST_PROCESS, std::process::id().to_string())
    .process_group(0)
    .spawn()
    .unwrap();
    let begin = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        if begin.elapsed() > deadline {
            let group = format!("-{}", child.id());
            let _ = Command::new("kill").args(["-KILL", "--", &group]).status();
            let _ = child.wait();
            panic!("{name} did not end within {} s and was killed", deadline.as_secs());
        }
        std::thread::sleep(Duration::from_millis(100));
    };
    let ran = std::fs::remove_file(&proof).is_ok();
    let _ = std::fs::remove_dir(&directory);
    assert!(status.success(), "{name} failed inside the lab ({status}); its output is above");
    assert!(ran, "no test of the name {name} ran inside the lab");
}

fn inside<F: AsyncFnOnce(&World)>(name: &str, deadline: Duration, body: F) {
    // The provider that the operator's own main chooses; the databases' clients look for it.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(4).enable_all().build().unwrap();
    runtime.block_on(async {
        let begin = Instant::now();
        let world = World::create(name).await;
        println!("{name}: namespace {}", world.namespace);
        let timed = tokio::time::timeout(deadline, body(&world));
        let result = AssertUnwindSafe(timed).catch_unwind().await;
        if !matches!(result, Ok(Ok(()))) {
            diagnosis::print(&world);
        }
        let spent = begin.elapsed().as_secs_f32();
        world.remove().await;
        match result {
            Ok(Ok(())) => println!("{name}: passed in {spent:.1} s"),
            Ok(Err(_)) => panic!("{name} is not done after {} s", deadline.as_secs()),
            Err(panic) => resume_unwind(panic),
        }
    });
}
