//! Unlinked temporary files for bodies, all of them together within one budget.

use std::fs::File;
use std::io;
use std::ops::Deref;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use tokio::runtime::Handle;
use tokio::sync::Notify;

/// The bytes that the temporary files of the process may take.
#[derive(Debug)]
pub(crate) struct SpillBudget {
    dir: PathBuf,
    limit: u64,
    used: AtomicU64,
    returned: Notify,
}

/// A temporary file that nobody else can open, and that vanishes with its last handle.
#[derive(Debug)]
pub(crate) struct SpillFile {
    file: Arc<SpillHandle>,
    len: u64,
    budget: Arc<SpillBudget>,
}

/// Closes the file where that holds nobody up: the last handle takes the file's blocks with it, one by one.
#[derive(Debug)]
pub(crate) struct SpillHandle(Option<File>);

/// Bytes up to which a file is freed in no time.
const SMALL: u64 = 1024 * 1024;

impl SpillBudget {
    pub(crate) fn new(dir: PathBuf, limit: u64) -> Arc<Self> {
        Arc::new(SpillBudget { dir, limit, used: AtomicU64::new(0), returned: Notify::new() })
    }

    /// Takes `bytes` from the budget, or nothing when they are not to be had.
    pub(crate) fn try_take(&self, bytes: u64) -> bool {
        let sum = |used: u64| used.checked_add(bytes).filter(|&sum| sum <= self.limit);
        self.used.fetch_update(Relaxed, Relaxed, sum).is_ok()
    }

    /// Takes `bytes`, waiting until somebody returns some. Never resolves for more than the whole limit.
    pub(crate) async fn take(&self, bytes: u64) {
        loop {
            let returned = self.returned.notified();
            if self.try_take(bytes) {
                return;
            }
            returned.await;
        }
    }

    pub(crate) fn give_back(&self, bytes: u64) {
        self.used.fetch_sub(bytes, Relaxed);
        self.returned.notify_waiters();
    }

    /// Bytes in temporary files now.
    pub(crate) fn used(&self) -> u64 {
        self.used.load(Relaxed)
    }
}

impl SpillFile {
    pub(crate) fn create(budget: &Arc<SpillBudget>) -> io::Result<Self> {
        let file = tempfile::tempfile_in(&budget.dir)?;
        Ok(SpillFile { file: Arc::new(SpillHandle(Some(file))), len: 0, budget: budget.clone() })
    }

    pub(crate) fn len(&self) -> u64 {
        self.len
    }

    /// Appends bytes that were taken from the budget before; they belong to the file from here on, also on failure.
    pub(crate) fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let offset = self.len;
        self.len += bytes.len() as u64;
        self.file.write_all_at(bytes, offset)
    }

    pub(crate) fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.file.read_at(buffer, offset)
    }

    /// A second handle for reading.
    pub(crate) fn reader(&self) -> Arc<SpillHandle> {
        self.file.clone()
    }

    /// Whether emptying it may take long, so that it is better dropped.
    pub(crate) fn is_large(&self) -> bool {
        self.len > SMALL
    }

    /// Empties the file and returns its bytes to the budget.
    pub(crate) fn clear(&mut self) -> io::Result<()> {
        self.budget.give_back(std::mem::take(&mut self.len));
        self.file.set_len(0)
    }
}

impl Drop for SpillFile {
    fn drop(&mut self) {
        self.budget.give_back(self.len);
    }
}

impl Deref for SpillHandle {
    type Target = File;

    fn deref(&self) -> &File {
        self.0.as_ref().expect("only a drop takes it")
    }
}

impl Drop for SpillHandle {
    fn drop(&mut self) {
        let Some(file) = self.0.take() else { return };
        let is_large = || file.metadata().is_ok_and(|metadata| metadata.len() > SMALL);
        // On the reactor everybody would wait for it.
        if let (Ok(runtime), true) = (Handle::try_current(), is_large()) {
            drop(runtime.spawn_blocking(move || drop(file)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_budget_is_shared_and_returned() {
        let budget = SpillBudget::new(std::env::temp_dir(), 10);
        assert!(budget.try_take(8));
        assert!(!budget.try_take(3));
        let mut file = SpillFile::create(&budget).unwrap();
        file.append(b"12345678").unwrap();
        let mut buffer = [0; 4];
        assert_eq!(file.read_at(&mut buffer, 6).unwrap(), 2);
        assert_eq!(&buffer[..2], b"78");
        drop(file);
        assert_eq!(budget.used(), 0);
    }

    #[tokio::test]
    async fn a_taker_waits_for_the_bytes() {
        let budget = SpillBudget::new(std::env::temp_dir(), 10);
        assert!(budget.try_take(10));
        let taker = tokio::spawn({
            let budget = budget.clone();
            async move { budget.take(4).await }
        });
        tokio::task::yield_now().await;
        assert!(!taker.is_finished());
        budget.give_back(5);
        taker.await.unwrap();
        assert_eq!(budget.used(), 9);
    }

    #[cfg(target_os = "linux")]
    fn is_open(file: &std::fs::Metadata) -> bool {
        use std::os::unix::fs::MetadataExt;
        let same = |open: std::fs::Metadata| (open.dev(), open.ino()) == (file.dev(), file.ino());
        let handles = std::fs::read_dir("/proc/self/fd").unwrap();
        handles.flatten().any(|handle| std::fs::metadata(handle.path()).is_ok_and(same))
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_large_file_is_closed_on_a_thread_for_that() {
        let runtime = tokio::runtime::Builder::new_current_thread().max_blocking_threads(1).build().unwrap();
        let _inside = runtime.enter();
        let (finish, busy) = std::sync::mpsc::channel::<()>();
        runtime.spawn_blocking(move || busy.recv());
        let budget = SpillBudget::new(std::env::temp_dir(), 2 * SMALL);
        assert!(budget.try_take(SMALL + 1));
        let mut file = SpillFile::create(&budget).unwrap();
        file.append(&[0; SMALL as usize + 1]).unwrap();
        let metadata = file.reader().metadata().unwrap();
        drop(file);
        assert_eq!(budget.used(), 0);
        assert!(is_open(&metadata), "its turn has not come");
        drop(finish);
    }
}
