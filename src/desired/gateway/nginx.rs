//! A typed nginx configuration: directives and blocks, rendered with quoting. Pure.

use std::fmt::Write;

/// One directive, with a block when it has `children`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Directive {
    name: &'static str,
    arguments: Vec<Argument>,
    children: Option<Vec<Self>>,
}

/// One argument of a directive.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Argument {
    /// Our own text, in which `$name` is a variable.
    Expression(String),
    /// A value from outside, of which nothing is interpreted.
    Literal(String),
}

impl Directive {
    /// A directive whose arguments are our own text, split at spaces.
    pub fn new(name: &'static str, arguments: &str) -> Self {
        let arguments = arguments.split(' ').filter(|word| !word.is_empty());
        Self {
            name,
            arguments: arguments.map(|word| Argument::Expression(word.to_owned())).collect(),
            children: None,
        }
    }

    /// Adds one argument of our own that holds spaces.
    #[must_use]
    pub fn expression(mut self, text: impl Into<String>) -> Self {
        self.arguments.push(Argument::Expression(text.into()));
        self
    }

    /// Adds one argument that comes from a spec.
    #[must_use]
    pub fn literal(mut self, text: impl Into<String>) -> Self {
        self.arguments.push(Argument::Literal(text.into()));
        self
    }

    /// Gives the directive a block.
    #[must_use]
    pub fn block(mut self, children: Vec<Self>) -> Self {
        self.children = Some(children);
        self
    }
}

/// Defines the variable that stands for `$` in literals; an http block needs it whose literals may
/// hold one. Nginx has no other way to write that character where variables are read.
pub fn dollar() -> Directive {
    Directive::new("geo", "$dollar").block(vec![Directive::new("default", "$")])
}

/// Renders directives as nginx reads them.
pub fn render(directives: &[Directive]) -> String {
    let mut text = String::new();
    write_level(directives, 0, &mut text);
    text
}

fn write_level(directives: &[Directive], depth: usize, text: &mut String) {
    let indent = "    ".repeat(depth);
    for directive in directives {
        // Writing to a String cannot fail.
        let _ = write!(text, "{indent}{}", directive.name);
        for argument in &directive.arguments {
            text.push(' ');
            match argument {
                Argument::Expression(expression) => write_quoted(expression, text),
                Argument::Literal(literal) => write_quoted(&literal.replace('$', "${dollar}"), text),
            }
        }
        match &directive.children {
            None => text.push_str(";\n"),
            Some(children) => {
                text.push_str(" {\n");
                write_level(children, depth + 1, text);
                let _ = writeln!(text, "{indent}}}");
            }
        }
    }
}

/// Quotes whatever could end the argument. In nginx' double quotes only `\` and `"` are special to
/// the parser; a line break is kept as it is.
fn write_quoted(value: &str, text: &mut String) {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-./:=$%*@,+~^&?!|".contains(c);
    if !value.is_empty() && value.chars().all(plain) {
        text.push_str(value);
        return;
    }
    text.push('"');
    for c in value.chars() {
        if matches!(c, '"' | '\\') {
            text.push('\\');
        }
        text.push(c);
    }
    text.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hostile_literal_stays_one_argument() {
        let directive = Directive::new("proxy_pass", "").literal("a; } server { listen 1;\" $host \\");
        assert_eq!(render(&[directive]), "proxy_pass \"a; } server { listen 1;\\\" ${dollar}host \\\\\";\n");
    }

    #[test]
    fn blocks_nest_with_indentation() {
        let inner = Directive::new("listen", "8080");
        let text =
            render(
                &[Directive::new("http", "").block(vec![Directive::new("server", "").block(vec![inner])])],
            );
        assert_eq!(text, "http {\n    server {\n        listen 8080;\n    }\n}\n");
    }
}
