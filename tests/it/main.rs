//! Fast integration tests: no cluster needed.
