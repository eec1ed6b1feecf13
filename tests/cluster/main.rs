//! Slow integration tests against a real cluster; all ignored by default.
