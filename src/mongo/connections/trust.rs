//! Whom connections trust, and which of them are encrypted. IO.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsRawFd;
use std::path::PathBuf;

use rustix::fs::{MemfdFlags, memfd_create};

/// The authorities as a file. The driver reads them by path alone, and the operator's root file system
/// is read-only; so they are in a file of the kernel's memory that this process alone has open.
#[derive(Debug)]
pub struct Authorities {
    pem: String,
    file: File,
}

impl Authorities {
    /// Writes them down.
    ///
    /// # Errors
    /// The kernel gives no file.
    pub fn new(pem: &str) -> io::Result<Self> {
        let mut file = File::from(memfd_create("mongodb-authorities", MemfdFlags::CLOEXEC)?);
        file.write_all(pem.as_bytes())?;
        Ok(Self { pem: pem.to_owned(), file })
    }

    /// Where the driver finds them, as long as this lives.
    pub fn path(&self) -> PathBuf {
        PathBuf::from(format!("/proc/self/fd/{}", self.file.as_raw_fd()))
    }

    /// Whether they are these.
    pub fn are(&self, pem: &str) -> bool {
        self.pem == pem
    }
}

/// Which members are spoken to over TLS, and by whose word they are who they say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trust {
    /// Certificates of the authorities as PEM.
    pub authorities: String,
    /// Hosts whose members take TLS.
    pub hosts: BTreeSet<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_can_be_read_again_and_again() {
        let authorities = Authorities::new("two\nlines\n").unwrap();
        for _ in 0..2 {
            assert_eq!(std::fs::read_to_string(authorities.path()).unwrap(), "two\nlines\n");
        }
    }
}
