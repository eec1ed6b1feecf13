//! A password that cannot be printed by accident. Pure.

use std::fmt;

/// A secret text. `Debug` shows its length only, there is no `Display`, and it is never serialized.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(String);

impl Password {
    /// Takes ownership of the plain text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The plain text; call it only where the secret leaves for a database or a Secret object.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Password({} bytes)", self.0.len())
    }
}

/// A text that others wrote, such as a log line, fit to be shown: without any of `secrets`, and
/// without the login part of an address.
pub fn redact(text: &str, secrets: &[Password]) -> String {
    let mut text = text.to_owned();
    for secret in secrets.iter().filter(|secret| !secret.0.is_empty()) {
        text = text.replace(&secret.0, HIDDEN);
    }
    let mut shown = String::with_capacity(text.len());
    let mut rest = text.as_str();
    while let Some(start) = rest.find("://") {
        let (before, after) = rest.split_at(start + 3);
        shown.push_str(before);
        let end = after.find(|c: char| c.is_whitespace() || "/\"'<>".contains(c)).unwrap_or(after.len());
        let (authority, remainder) = after.split_at(end);
        match authority.rfind('@') {
            Some(at) => {
                shown.push_str(HIDDEN);
                shown.push_str(&authority[at..]);
            }
            None => shown.push_str(authority),
        }
        rest = remainder;
    }
    shown + rest
}

/// Stands for what was taken out.
const HIDDEN: &str = "***";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_and_logins_do_not_leave_with_a_log_line() {
        let secret = Password::new("hunter2");
        for (line, shown) in [
            ("login hunter2 failed", "login *** failed"),
            ("mongodb://app:pa:s@s@db-0:27017/x refused", "mongodb://***@db-0:27017/x refused"),
            ("get http://a/b@c and redis://:p@r", "get http://a/b@c and redis://***@r"),
            ("plain", "plain"),
        ] {
            assert_eq!(redact(line, std::slice::from_ref(&secret)), shown);
        }
    }

    #[test]
    fn debug_output_does_not_contain_the_text() {
        assert_eq!(format!("{:?}", Password::new("hunter2")), "Password(7 bytes)");
    }
}
