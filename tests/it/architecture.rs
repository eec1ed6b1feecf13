//! Rules of the architecture that a compiler does not check.

use std::fs;
use std::path::{Path, PathBuf};

fn rust_files(folder: &Path, into: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            rust_files(&path, into);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            into.push(path);
        }
    }
}

fn sources() -> Vec<(PathBuf, String)> {
    let mut files = Vec::new();
    rust_files(Path::new("src"), &mut files);
    files.into_iter().map(|path| (path.clone(), fs::read_to_string(path).unwrap())).collect()
}

/// The part of a file before its tests.
fn without_tests(text: &str) -> &str {
    text.split("#[cfg(test)]\nmod tests {").next().unwrap_or(text)
}

#[test]
fn pure_modules_see_no_client_no_runtime_and_no_clock() {
    let pure = [
        "src/plan",
        "src/desired",
        "src/status",
        "src/mongo/steps",
        "src/redis_cluster/steps",
        "src/manifest",
    ];
    let forbidden = [
        "kube::Client",
        "tokio::",
        "SystemTime::now",
        "Timestamp::now",
        "Instant::now",
        "std::env",
        "getrandom",
    ];
    for (path, text) in sources() {
        let name = path.to_string_lossy().into_owned();
        if !pure.iter().any(|prefix| name.starts_with(prefix)) {
            continue;
        }
        for word in forbidden {
            assert!(!text.contains(word), "{name} is pure and must not mention {word}");
        }
    }
}

/// A forced reconfiguration loses acknowledged writes. One file can make such a command, and only for
/// a person who asked for it.
#[test]
fn one_file_alone_can_force_a_database() {
    let may_force = ["src/mongo/forced.rs"];
    for (path, text) in sources() {
        let name = path.to_string_lossy().into_owned();
        if name.contains("tests") || name.contains("model") {
            continue;
        }
        let forces = without_tests(&text).contains("\"force\"");
        assert_eq!(forces, may_force.contains(&name.as_str()), "{name}");
    }
}

#[test]
fn every_file_says_what_lives_in_it() {
    for (path, text) in sources() {
        assert!(text.starts_with("//! "), "{} has no leading doc comment", path.display());
    }
}

#[test]
fn no_file_outgrows_its_room() {
    for (path, text) in sources() {
        let lines = without_tests(&text).lines().count();
        assert!(lines <= 400 || path.ends_with("tests.rs"), "{} has {lines} lines", path.display());
    }
}

#[test]
fn labels_and_annotations_of_ours_are_built_in_one_file() {
    for (path, text) in sources() {
        let name = path.to_string_lossy().into_owned();
        if name == "src/names.rs" || name.contains("tests") || name.contains("live_test") {
            continue;
        }
        for line in without_tests(&text).lines().filter(|line| !line.trim_start().starts_with("//")) {
            assert!(
                !line.contains("eaiser.io/\"") && !line.contains("\"eaiser.io/") || line.contains("v1alpha1"),
                "{name}: {line}"
            );
        }
    }
}
