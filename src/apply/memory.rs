//! What this process wrote and has not yet seen come back through its watches, and what it found to
//! be as rendered.
//!
//! Without it a pass that runs before the watch caught up would send every object a second time.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::caution::Caution;
use super::child::Child;

/// A write that no watch event confirmed for this long is not trusted any more.
const TRUST: Duration = Duration::from_secs(15);

/// Whether one resource version is another or later. The API convention has them compared as whole
/// numbers; a server that does not follow it is only asked for equality.
fn reaches((shown, written): (&str, &str)) -> bool {
    match (shown.parse::<u128>(), written.parse::<u128>()) {
        (Ok(shown), Ok(written)) => shown >= written,
        _ => shown == written,
    }
}

/// Writes of one cluster.
#[derive(Debug, Default)]
pub struct Memory {
    written: Mutex<HashMap<String, Written>>,
    pub(super) caution: Caution,
}

#[derive(Clone, Debug)]
struct Written {
    digest: String,
    resource_version: Option<String>,
    at: Instant,
    /// The watch has shown this very version.
    seen: bool,
}

impl Memory {
    /// Records a write and the version it produced.
    pub fn wrote(&self, child: &Child, resource_version: Option<String>, now: Instant) {
        let written = Written { digest: child.digest.clone(), resource_version, at: now, seen: false };
        self.written.lock().unwrap_or_else(PoisonError::into_inner).insert(child.label(), written);
    }

    /// Records that the live object holds everything rendered, so that this version of it need not be
    /// compared again.
    pub fn found_as_rendered(&self, child: &Child, now: Instant) {
        if self.is_untouched(child) {
            return;
        }
        let resource_version = child.live.as_ref().and_then(|live| live.resource_version.clone());
        let found = Written { digest: child.digest.clone(), resource_version, at: now, seen: true };
        self.written.lock().unwrap_or_else(PoisonError::into_inner).insert(child.label(), found);
    }

    /// Whether what we want was already written and only the watch is behind. The live version that
    /// the watch shows decides: the written one means it caught up, and so does a later one, which
    /// somebody else wrote before this pass looked.
    pub fn is_on_its_way(&self, child: &Child, now: Instant) -> bool {
        let mut all = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(written) = all.get_mut(&child.label()) else {
            return false;
        };
        let shown = child.live.as_ref().and_then(|live| live.resource_version.as_deref());
        written.seen |= shown.zip(written.resource_version.as_deref()).is_some_and(reaches);
        !written.seen && written.digest == child.digest && now.duration_since(written.at) < TRUST
    }

    /// Whether the watch shows the very version of our last write with the same digest, so that no
    /// field can have drifted.
    pub fn is_untouched(&self, child: &Child) -> bool {
        let all = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        let shown = child.live.as_ref().and_then(|live| live.resource_version.as_ref());
        all.get(&child.label()).is_some_and(|written| {
            shown.is_some() && written.resource_version.as_ref() == shown && written.digest == child.digest
        })
    }
}
