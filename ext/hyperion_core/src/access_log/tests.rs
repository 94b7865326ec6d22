use std::fs;
use std::path::Path;
use std::sync::mpsc;
use std::time::Instant;

use super::line::tests::line_to;
use super::*;
use crate::handler::{Exchange, Handler};
use crate::report::Reporter;

/// What no disk takes longer for.
const PATIENCE: Duration = Duration::from_secs(60);

/// Passes events on, and takes no requests.
struct Listener(mpsc::Sender<String>);

impl Handler for Listener {
    fn handle(&self, _: Exchange) {}
}

impl Reporter for Listener {
    fn enabled(&self, _: Level) -> bool {
        true
    }

    fn report(&self, _: Level, event: &Event<'_>) {
        // A test that is over does not care.
        let _ = self.0.send(event.to_string());
    }
}

/// An open log, and what it reports once it is started.
fn log(path: &Path) -> (AccessLog, Arc<Listener>, mpsc::Receiver<String>) {
    let (sender, events) = mpsc::channel();
    let log = AccessLog::open(Format::Common, Target::File(path.into())).unwrap();
    (log, Arc::new(Listener(sender)), events)
}

fn targets(path: &Path) -> Vec<String> {
    let text = fs::read_to_string(path).unwrap();
    text.lines().map(|line| line.split(' ').nth(6).unwrap().to_owned()).collect()
}

/// Waits until the file has so many lines.
fn await_lines(path: &Path, count: usize) {
    let begin = Instant::now();
    while !path.exists() || targets(path).len() != count {
        assert!(begin.elapsed() < PATIENCE, "{} never had {count} lines", path.display());
        thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn all_lines_are_written_in_their_order() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("access.log");
    let (log, listener, events) = log(&path);
    log.push(line_to("/0"));
    log.start(listener).unwrap();
    for number in 1..10_000 {
        log.push(line_to(&format!("/{number}")));
    }
    log.finish_within(PATIENCE);
    assert!(targets(&path).into_iter().eq((0..10_000).map(|number| format!("/{number}"))));
    assert!(events.try_recv().is_err());
}

#[test]
fn a_line_is_written_without_another_behind_it() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("access.log");
    let (log, listener, _events) = log(&path);
    log.start(listener).unwrap();
    for count in 1..=3 {
        log.push(line_to("/"));
        await_lines(&path, count);
    }
    log.finish_within(PATIENCE);
}

#[test]
fn a_renamed_file_is_let_go_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let (path, old) = (dir.path().join("access.log"), dir.path().join("access.log.1"));
    let (log, listener, _events) = log(&path);
    log.start(listener).unwrap();
    fs::rename(&path, &old).unwrap();
    log.push(line_to("/before"));
    log.reopen();
    await_lines(&path, 0);
    log.push(line_to("/after"));
    log.finish_within(PATIENCE);
    assert_eq!((targets(&old), targets(&path)), (vec!["/before".into()], vec!["/after".into()]));
}

#[test]
fn a_file_that_cannot_be_reopened_stays() {
    let dir = tempfile::tempdir().unwrap();
    let inner = dir.path().join("inner");
    fs::create_dir(&inner).unwrap();
    let (log, listener, events) = log(&inner.join("access.log"));
    log.start(listener).unwrap();
    let moved = dir.path().join("moved");
    fs::rename(&inner, &moved).unwrap();
    log.reopen();
    let event = events.recv_timeout(PATIENCE).unwrap();
    assert!(event.contains("access.log failed: No such file"), "{event}");
    log.push(line_to("/after"));
    log.finish_within(PATIENCE);
    assert_eq!(targets(&moved.join("access.log")), ["/after"]);
}

#[test]
fn lines_that_come_too_fast_are_dropped_and_counted() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("access.log");
    let (log, listener, events) = log(&path);
    for _ in 0..CAPACITY + 3 {
        log.push(line_to("/"));
    }
    log.start(listener).unwrap();
    log.finish_within(PATIENCE);
    assert_eq!(targets(&path).len(), CAPACITY);
    assert_eq!(events.recv_timeout(PATIENCE).unwrap(), "access log: 3 lines were dropped");
}

#[test]
fn a_full_disk_is_reported() {
    let (log, listener, events) = log(Path::new("/dev/full"));
    log.start(listener).unwrap();
    log.push(line_to("/"));
    let event = events.recv_timeout(PATIENCE).unwrap();
    assert!(event.contains("/dev/full failed: No space left"), "{event}");
    log.finish_within(PATIENCE);
}

#[test]
fn what_cannot_be_opened_is_an_error() {
    let target = Target::File("/nowhere/access.log".into());
    assert_eq!(AccessLog::open(Format::Json, target).unwrap_err().kind(), io::ErrorKind::NotFound);
}
