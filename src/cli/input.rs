//! Files that commands read.

use std::io::{Result, read_to_string, stdin};
use std::path::Path;

/// The whole of a file; `-` is standard input.
pub(super) fn read(path: &Path) -> Result<String> {
    if path == Path::new("-") { read_to_string(stdin()) } else { std::fs::read_to_string(path) }
}
