//! Requests at a fixed rate. One that the server delays delays no other: its time counts from when it was due.

use std::rc::Rc;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use tokio::sync::{Mutex, mpsc};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::Error;
use crate::link::{Link, Target};

/// When a request is due.
type Due = Instant;
type Arrivals = Arc<Mutex<mpsc::UnboundedReceiver<Due>>>;

/// What became of the requests.
#[derive(Debug, Default)]
struct Outcome {
    /// µs of each that succeeded.
    times: Vec<u32>,
    failed: usize,
}

/// For answers that are still out when the last request was sent.
const PATIENCE: Duration = Duration::from_secs(10);
/// The shortest sleep that is worth it.
const NAP: Duration = Duration::from_micros(50);

pub(crate) async fn run(
    target: Target,
    connections: usize,
    rate: f64,
    length: Duration,
) -> Result<(), Error> {
    let target = Rc::new(target);
    let mut links = Vec::new();
    for _ in 0..connections {
        links.push(target.connect().await?);
    }
    let (sender, arrivals) = mpsc::unbounded_channel();
    let arrivals = Arc::new(Mutex::new(arrivals));
    let count = (rate * length.as_secs_f64()).ceil() as u32;
    let begin = Instant::now();
    let clock = thread::spawn(move || tick(&sender, count, begin, length));
    let mut tasks = JoinSet::new();
    for link in links {
        tasks.spawn_local(serve(target.clone(), link, arrivals.clone()));
    }
    let mut outcome = Outcome::default();
    let all = async {
        while let Some(done) = tasks.join_next().await {
            outcome.merge(done.expect("no panic"));
        }
    };
    // Those without an answer are the ones that are missing in the end.
    let _ = timeout(length + PATIENCE, all).await;
    clock.join().expect("no panic");
    println!("{}", outcome.json(count as usize, begin.elapsed()));
    Ok(())
}

/// Tells when requests are due. A thread of its own: timers of the runtime are no finer than a millisecond.
fn tick(arrivals: &mpsc::UnboundedSender<Due>, count: u32, begin: Instant, length: Duration) {
    for number in 0..count {
        let due = begin + length.mul_f64(f64::from(number) / f64::from(count));
        let wait = due.saturating_duration_since(Instant::now());
        if wait > NAP {
            thread::sleep(wait);
        }
        if arrivals.send(due).is_err() {
            return;
        }
    }
}

/// Takes arrivals until there are no more: HTTP/1.1 when the connection is free, HTTP/2 at once.
async fn serve(target: Rc<Target>, mut link: Link, arrivals: Arrivals) -> Outcome {
    let mut outcome = Outcome::default();
    let mut requests = JoinSet::new();
    while let Some(due) = next(&arrivals).await {
        match &mut link {
            Link::Http1(_) => outcome.count(due, target.fetch(&mut link).await),
            Link::Http2(sender) => {
                let (target, sender) = (target.clone(), sender.clone());
                requests.spawn_local(async move {
                    let mut outcome = Outcome::default();
                    outcome.count(due, target.fetch_h2(sender).await);
                    outcome
                });
            }
        }
        while let Some(done) = requests.try_join_next() {
            outcome.merge(done.expect("no panic"));
        }
    }
    while let Some(done) = requests.join_next().await {
        outcome.merge(done.expect("no panic"));
    }
    outcome
}

async fn next(arrivals: &Arrivals) -> Option<Due> {
    arrivals.lock().await.recv().await
}

impl Outcome {
    fn count(&mut self, due: Due, result: Result<(), Error>) {
        match result {
            Ok(()) => self.times.push(due.elapsed().as_micros().try_into().unwrap_or(u32::MAX)),
            Err(_) => self.failed += 1,
        }
    }

    fn merge(&mut self, mut other: Outcome) {
        self.times.append(&mut other.times);
        self.failed += other.failed;
    }

    fn json(mut self, sent: usize, elapsed: Duration) -> String {
        self.times.sort_unstable();
        let mean =
            self.times.iter().map(|&time| f64::from(time)).sum::<f64>() / self.times.len().max(1) as f64;
        format!(
            r#"{{"sent":{sent},"done":{},"failed":{},"rate":{:.1},"mean":{mean:.1},"p50":{},"p99":{},"p999":{},"max":{}}}"#,
            self.times.len(),
            sent - self.times.len(),
            self.times.len() as f64 / elapsed.as_secs_f64(),
            self.quantile(0.5),
            self.quantile(0.99),
            self.quantile(0.999),
            self.quantile(1.0),
        )
    }

    fn quantile(&self, share: f64) -> u32 {
        let last = self.times.len().saturating_sub(1);
        self.times.get((last as f64 * share).round() as usize).copied().unwrap_or(0)
    }
}
