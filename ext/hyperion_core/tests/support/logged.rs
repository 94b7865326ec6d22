//! A service with an access log.

use std::path::PathBuf;

use hyperion_core::access_log::{AccessLog, Format, Target};
use hyperion_core::metrics::Metric;
use hyperion_core::response::Outcome;
use hyperion_core::{Config, Observer};
use tempfile::TempDir;

use super::app::{Harness, observed_harness};

/// A harness, and where its log is.
pub struct Logged {
    pub harness: Harness,
    log: LogFile,
}

/// An access log in a file.
pub struct LogFile {
    pub log: AccessLog,
    path: PathBuf,
    _dir: TempDir,
}

pub fn logged(change: impl FnOnce(&mut Config)) -> Logged {
    let mut config = Config::default();
    change(&mut config);
    Logged::new(|observer| observed_harness(config, observer))
}

impl Logged {
    pub fn new(harness: impl FnOnce(Observer) -> Harness) -> Self {
        let log = LogFile::open();
        Logged { harness: harness(log.observer()), log }
    }

    /// Waits for the end of a response.
    pub async fn ended(&mut self, outcome: Outcome) {
        assert_eq!(self.harness.outcome().await, outcome);
        self.harness.idle().await;
    }

    /// As [`LogFile::lines`], once nothing is in flight.
    pub async fn lines(&self) -> Vec<String> {
        self.harness.idle().await;
        self.log.lines()
    }

    pub fn number(&self, metric: Metric) -> i64 {
        self.harness.service.observer().metrics.get(metric)
    }

    /// Final responses, by status.
    pub fn statuses(&self) -> Vec<(u16, u64)> {
        self.harness.service.observer().metrics.snapshot().statuses
    }
}

impl LogFile {
    pub fn open() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("access.log");
        let log = AccessLog::open(Format::Common, Target::File(path.clone())).unwrap();
        LogFile { log, path, _dir: dir }
    }

    pub fn observer(&self) -> Observer {
        Observer { access_log: Some(self.log.clone()), ..Observer::default() }
    }

    /// Ends the log. Request line, status, bytes, stream and outcome of each line.
    pub fn lines(&self) -> Vec<String> {
        self.log.finish();
        std::fs::read_to_string(&self.path).unwrap().lines().map(essence).collect()
    }
}

fn essence(line: &str) -> String {
    let (_, rest) = line.split_once('"').unwrap();
    let (request, rest) = rest.split_once("\" ").unwrap();
    let fields: Vec<_> = rest.split(' ').collect();
    let [status, bytes, duration, _wait, stream, outcome] = fields[..] else { panic!("{line}") };
    assert!(duration.parse::<f64>().unwrap() < 60.0, "{line}");
    format!("{request} {status} {bytes} {stream} {outcome}")
}
