//! Where the lines go.

use std::fmt;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::path::PathBuf;

/// Where to write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// The standard output of the process.
    Stdout,
    /// The file at this path, which is made when it is not there, and appended to.
    File(PathBuf),
}

/// A target that is open.
pub(super) struct Output {
    target: Target,
    file: File,
}

impl Target {
    fn open(&self) -> io::Result<File> {
        match self {
            Target::Stdout => io::stdout().as_fd().try_clone_to_owned().map(File::from),
            Target::File(path) => File::options().append(true).create(true).open(path),
        }
    }
}

impl Output {
    pub(super) fn open(target: Target) -> io::Result<Self> {
        Ok(Output { file: target.open()?, target })
    }

    pub(super) fn target(&self) -> &Target {
        &self.target
    }

    /// After an error the old file stays.
    pub(super) fn reopen(&mut self) -> io::Result<()> {
        self.file = self.target.open()?;
        Ok(())
    }

    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Target::Stdout => f.write_str("standard output"),
            Target::File(path) => path.display().fmt(f),
        }
    }
}
