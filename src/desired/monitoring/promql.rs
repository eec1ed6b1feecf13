//! Pieces of `PromQL`, built so that no value can end its quotes. Pure.

use std::fmt::{self, Write};

/// A metric and the label matchers that pick its series.
#[derive(Clone, Debug)]
pub struct Selector {
    metric: String,
    matchers: Vec<String>,
}

impl Selector {
    /// Every series of a metric.
    pub fn new(metric: &str) -> Self {
        Self { metric: metric.to_owned(), matchers: Vec::new() }
    }

    /// Only series whose label is exactly `value`.
    #[must_use]
    pub fn equal(self, label: &str, value: &str) -> Self {
        self.matcher(label, "=", value)
    }

    /// Only series whose label matches a regular expression.
    #[must_use]
    pub fn matching(self, label: &str, expression: &str) -> Self {
        self.matcher(label, "=~", expression)
    }

    /// Only series whose label does not match a regular expression.
    #[must_use]
    pub fn unlike(self, label: &str, expression: &str) -> Self {
        self.matcher(label, "!~", expression)
    }

    fn matcher(mut self, label: &str, operator: &str, value: &str) -> Self {
        self.matchers.push(format!("{label}{operator}{}", quoted(value)));
        self
    }

    /// Per-second increase, averaged over five minutes.
    pub fn rate(&self) -> String {
        format!("rate({self}[5m])")
    }
}

impl fmt::Display for Selector {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.metric)?;
        if self.matchers.is_empty() {
            return Ok(());
        }
        write!(formatter, "{{{}}}", self.matchers.join(","))
    }
}

/// A string literal.
fn quoted(text: &str) -> String {
    let mut literal = String::with_capacity(text.len() + 2);
    literal.push('"');
    for character in text.chars() {
        match character {
            '"' | '\\' => literal.extend(['\\', character]),
            // Line breaks and their kind may not stand in a literal as they are.
            control if control.is_control() => {
                // Writing to a String cannot fail.
                let _ = write!(literal, "\\u{:04x}", u32::from(control));
            }
            other => literal.push(other),
        }
    }
    literal.push('"');
    literal
}

/// A regular expression that matches `text` and nothing else.
pub fn exactly(text: &str) -> String {
    let mut expression = String::with_capacity(text.len());
    for character in text.chars() {
        if r"\.+*?()|[]{}^$".contains(character) {
            expression.push('\\');
        }
        expression.push(character);
    }
    expression
}

/// A number as short as it reads: nine decimals are far finer than any objective.
pub fn number(value: f64) -> String {
    let text = format!("{value:.9}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Reads a literal as `PromQL` does: a backslash takes what follows it.
    fn unquoted(literal: &str) -> Option<String> {
        let inner = literal.strip_prefix('"')?.strip_suffix('"')?;
        let mut text = String::new();
        let mut characters = inner.chars();
        while let Some(character) = characters.next() {
            match character {
                '"' => return None,
                '\\' => match characters.next()? {
                    'u' => {
                        let digits: String = characters.by_ref().take(4).collect();
                        text.push(char::from_u32(u32::from_str_radix(&digits, 16).ok()?)?);
                    }
                    escaped => text.push(escaped),
                },
                other if other.is_control() => return None,
                other => text.push(other),
            }
        }
        Some(text)
    }

    proptest! {
        #[test]
        fn a_quoted_value_reads_back_as_it_was(value in any::<String>()) {
            prop_assert_eq!(unquoted(&quoted(&value)), Some(value));
        }
    }

    #[test]
    fn a_hostile_value_stays_inside_its_matcher() {
        let selector = Selector::new("up").equal("namespace", r#"a"} or vector(1) #\"#);
        assert_eq!(selector.to_string(), r#"up{namespace="a\"} or vector(1) #\\"}"#);
    }

    #[test]
    fn a_literal_in_a_regular_expression_matches_itself_alone() {
        assert_eq!(exactly("/healthz/v1.0(a|b)"), r"/healthz/v1\.0\(a\|b\)");
    }

    #[test]
    fn numbers_lose_the_noise_of_binary_fractions() {
        for (value, text) in
            [(1.0 - 99.9 / 100.0, "0.001"), (14.4 * 0.001, "0.0144"), (30.0, "30"), (0.5, "0.5")]
        {
            assert_eq!(number(value), text);
        }
    }
}
