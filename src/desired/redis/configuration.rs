//! redis.conf from typed directives. Pure.

use std::fmt::Write;

use crate::crd::Persistence;
use crate::names::REDIS_PORT;
use crate::password::Password;
use crate::plan::RedisPlan;

/// File of the settings, in its ConfigMap.
pub const CONFIGURATION_FILE: &str = "redis.conf";
/// File of the settings that carry the password, in its Secret.
pub const AUTHENTICATION_FILE: &str = "authentication.conf";
/// Folder of [`CONFIGURATION_FILE`] in the pod; not below /etc/redis, which some images close to others.
pub const CONFIGURATION_FOLDER: &str = "/eaiser/configuration";
/// Folder of [`AUTHENTICATION_FILE`] in the pod.
pub const AUTHENTICATION_FOLDER: &str = "/eaiser/authentication";
/// Milliseconds without an answer after which a node counts as failed: failover within 10 s.
const NODE_TIMEOUT_MILLISECONDS: i64 = 5000;

/// Lines of `name value…`; every value is quoted, so none can end its line or add another.
#[derive(Default)]
struct Directives(String);

impl Directives {
    fn add(&mut self, name: &'static str, values: &[&str]) {
        self.0.push_str(name);
        for value in values {
            self.0.push(' ');
            quote(value, &mut self.0);
        }
        self.0.push('\n');
    }
}

/// Redis' own double-quoted form (`sdssplitargs`): backslash escapes, bytes outside printable ASCII
/// as `\xHH`.
fn quote(value: &str, into: &mut String) {
    into.push('"');
    for byte in value.bytes() {
        match byte {
            b'"' | b'\\' => {
                into.push('\\');
                into.push(char::from(byte));
            }
            b' '..=b'~' => into.push(char::from(byte)),
            _ => {
                // Writing to a String cannot fail.
                let _ = write!(into, "\\x{byte:02x}");
            }
        }
    }
    into.push('"');
}

/// Settings without secrets.
pub fn configuration(redis: &RedisPlan) -> String {
    let mut directives = Directives::default();
    directives.add("port", &[&REDIS_PORT.to_string()]);
    directives.add("dir", &["/data"]);
    directives.add("cluster-enabled", &["yes"]);
    directives.add("cluster-config-file", &["/data/nodes.conf"]);
    directives.add("cluster-node-timeout", &[&NODE_TIMEOUT_MILLISECONDS.to_string()]);
    // Redirects name hosts, which outlive a restart; addresses do not, and clients that learned only
    // addresses never find a cluster again whose pods all moved.
    directives.add("cluster-preferred-endpoint-type", &["hostname"]);
    // A shard is a StatefulSet: a replica that wandered to another shard would only be sent back.
    directives.add("cluster-allow-replica-migration", &["no"]);
    // No write lands while slots are still being assigned, which would look like lost slots later.
    directives.add("cluster-require-full-coverage", &["yes"]);
    // There are few replicas to wait for: the first copy starts at once.
    directives.add("repl-diskless-sync-delay", &["0"]);
    directives.add("maxmemory", &[&redis.maxmemory.0.to_string()]);
    directives.add("maxmemory-policy", &[redis.maxmemory_policy.as_str()]);
    directives.add("maxclients", &[&redis.maxclients.to_string()]);
    // Half-open connections of vanished clients are noticed within a minute.
    directives.add("tcp-keepalive", &["60"]);
    directives.add("protected-mode", &["no"]);
    match redis.persistence {
        Persistence::AppendOnly => {
            directives.add("appendonly", &["yes"]);
            directives.add("appendfsync", &["everysec"]);
            directives.add("save", &[""]);
        }
        Persistence::Snapshot => {
            directives.add("appendonly", &["no"]);
            directives.add("save", &["300", "100", "60", "10000"]);
        }
    }
    directives.add("include", &[&format!("{AUTHENTICATION_FOLDER}/{AUTHENTICATION_FILE}")]);
    directives.0
}

/// Settings that carry the password; replicas use the same one.
pub fn authentication(password: &Password) -> String {
    let mut directives = Directives::default();
    directives.add("requirepass", &[password.expose()]);
    directives.add("masterauth", &[password.expose()]);
    directives.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hostile_password_stays_on_its_line() {
        let text = authentication(&Password::new("a\"b\\c\nmaxmemory 1 #é"));
        assert_eq!(text.lines().count(), 2);
        assert!(text.starts_with(r#"requirepass "a\"b\\c\x0amaxmemory 1 #\xc3\xa9""#), "{text}");
    }
}
