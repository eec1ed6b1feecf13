//! SVG, element by element: every text and every attribute is escaped, every element closed.

use std::fmt::{Display, Write};

/// A picture under construction.
pub(super) struct Svg {
    text: String,
    open: Vec<&'static str>,
}

impl Svg {
    /// A picture of this size, in pixels, that a screen reader calls `title`.
    pub(super) fn new(width: u32, height: u32, title: &str) -> Self {
        let mut svg = Self { text: String::new(), open: Vec::new() };
        let view = format!("0 0 {width} {height}");
        svg.begin(
            "svg",
            &[
                ("xmlns", &"http://www.w3.org/2000/svg"),
                ("width", &width),
                ("height", &height),
                ("viewBox", &view),
                ("role", &"img"),
            ],
        );
        svg.leaf("title", &[], title);
        svg
    }

    /// Opens an element.
    pub(super) fn begin(&mut self, name: &'static str, attributes: &[(&str, &dyn Display)]) {
        self.start(name, attributes);
        self.text.push_str(">\n");
        self.open.push(name);
    }

    /// Closes the one opened last.
    pub(super) fn end(&mut self) {
        if let Some(name) = self.open.pop() {
            // Writing to a String cannot fail.
            let _ = writeln!(self.text, "</{name}>");
        }
    }

    /// An element with a text.
    pub(super) fn leaf(&mut self, name: &'static str, attributes: &[(&str, &dyn Display)], text: &str) {
        self.start(name, attributes);
        let _ = writeln!(self.text, ">{}</{name}>", escape(text));
    }

    /// An element without content.
    pub(super) fn empty(&mut self, name: &'static str, attributes: &[(&str, &dyn Display)]) {
        self.start(name, attributes);
        self.text.push_str("/>\n");
    }

    fn start(&mut self, name: &str, attributes: &[(&str, &dyn Display)]) {
        let _ = write!(self.text, "<{name}");
        for (key, value) in attributes {
            let _ = write!(self.text, " {key}=\"{}\"", escape(&value.to_string()));
        }
    }

    /// The text of the picture.
    pub(super) fn finish(mut self) -> String {
        while !self.open.is_empty() {
            self.end();
        }
        self.text
    }
}

/// XML's five characters; control characters are no XML at all.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&apos;"),
            c if c.is_control() && c != '\n' => escaped.push('\u{fffd}'),
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_text_stays_text_and_every_element_is_closed() {
        let mut svg = Svg::new(10, 20, "</title><script>alert(1)</script>");
        svg.begin("g", &[("class", &"\"><script>")]);
        svg.leaf("text", &[("x", &1.5)], "a & b\u{0}");
        let text = svg.finish();
        assert!(!text.contains("<script"), "{text}");
        assert!(text.contains("class=\"&quot;&gt;&lt;script&gt;\""), "{text}");
        assert!(text.contains("<text x=\"1.5\">a &amp; b\u{fffd}</text>"), "{text}");
        assert!(text.ends_with("</g>\n</svg>\n"), "{text}");
    }
}
