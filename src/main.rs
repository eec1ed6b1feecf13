//! The `eaiser` command.

fn main() {}
