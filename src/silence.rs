//! When a connection failed because nobody is there. Pure.
//!
//! Of one and the same vanished peer the kernel says in turn, as its neighbour table ages, that there
//! is no route, that the host is unreachable, that time is up, or nothing until our own time is up.
//! Told apart, they would change a status, and so write it, although nothing has changed.

use std::io::ErrorKind;

/// Whether the error says no more than that no answer came.
pub fn is_silence(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable | ErrorKind::TimedOut)
}

#[cfg(test)]
mod tests {
    use std::io::Error;

    use super::*;

    #[test]
    fn what_linux_says_of_a_vanished_peer_is_silence_and_a_refusal_is_not() {
        const ENETUNREACH: i32 = 101;
        const ETIMEDOUT: i32 = 110;
        const ECONNREFUSED: i32 = 111;
        const EHOSTUNREACH: i32 = 113;
        let is_silent = |code| is_silence(Error::from_raw_os_error(code).kind());
        assert!([ENETUNREACH, ETIMEDOUT, EHOSTUNREACH].into_iter().all(is_silent));
        assert!(!is_silent(ECONNREFUSED), "somebody is there and says no");
    }
}
