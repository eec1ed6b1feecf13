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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_output_does_not_contain_the_text() {
        assert_eq!(format!("{:?}", Password::new("hunter2")), "Password(7 bytes)");
    }
}
