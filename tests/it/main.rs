//! Fast integration tests: no cluster needed.

mod apply;
mod architecture;
mod command_line;
mod crd;
mod examples;
