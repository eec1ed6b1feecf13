//! Text for terminals: widths, wrapping, colour. Colour is always written; the printing side
//! ([`anstream`]) takes it out where nobody wants it.

use anstyle::{AnsiColor, Style};

/// Something is as it should be.
pub(super) const GOOD: Style = AnsiColor::Green.on_default();
/// Something is under way.
pub(super) const UNDER_WAY: Style = AnsiColor::Yellow.on_default();
/// Something is wrong, or goes away.
pub(super) const BAD: Style = AnsiColor::Red.on_default();
/// A heading.
pub(super) const STRONG: Style = Style::new().bold();
/// Less important.
pub(super) const FAINT: Style = Style::new().dimmed();

/// Columns when the output is not a terminal.
const DEFAULT_WIDTH: usize = 100;
/// Fewer columns are not drawn for: lines then wrap where the terminal wraps them.
const NARROWEST: usize = 40;

/// Columns to draw for.
pub(super) fn width() -> usize {
    let terminal = terminal_size::terminal_size_of(std::io::stdout());
    terminal.map_or(DEFAULT_WIDTH, |(width, _)| usize::from(width.0).clamp(NARROWEST, DEFAULT_WIDTH))
}

/// The text in a style.
pub(super) fn paint(style: Style, text: &str) -> String {
    format!("{style}{text}{style:#}")
}

/// Cut to `width` columns, with a mark where it was cut.
pub(super) fn shorten(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    text.chars().take(width.saturating_sub(1)).chain(['…']).collect()
}

/// Padded or cut to exactly `width` columns.
pub(super) fn cell(text: &str, width: usize) -> String {
    format!("{:width$}", shorten(text, width))
}

/// Broken between words into lines of at most `width` columns; every line but the first starts with
/// `indent` blanks. A word longer than a line stays whole: it may be a name to copy.
pub(super) fn wrap(text: &str, width: usize, indent: usize) -> String {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let first = lines.len() == 1;
        let Some(line) = lines.last_mut() else { continue };
        let used = line.chars().count() + if first { 0 } else { indent };
        if line.is_empty() {
            line.push_str(word);
        } else if used + 1 + word.chars().count() <= width {
            line.push(' ');
            line.push_str(word);
        } else {
            lines.push(word.to_owned());
        }
    }
    lines.join(&format!("\n{}", " ".repeat(indent)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_is_cut_with_a_mark_and_a_short_one_padded() {
        assert_eq!(cell("eaiser-api-0", 8), "eaiser-…");
        assert_eq!(cell("api", 8), "api     ");
    }

    #[test]
    fn words_wrap_under_their_indent_and_a_long_name_stays_whole() {
        let text = wrap("pod eaiser-mongodb-1-with-a-long-name is not ready", 20, 2);
        assert_eq!(text, "pod\n  eaiser-mongodb-1-with-a-long-name\n  is not ready");
    }

    #[test]
    fn an_empty_text_is_one_empty_line() {
        assert_eq!(wrap("", 20, 2), "");
    }
}
