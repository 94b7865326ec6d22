//! Requests at a fixed rate. One that the server delays delays no other: its time counts from when it was due.

use std::cell::Cell;
use std::rc::Rc;
use std::thread;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use tokio::io::{AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout_at;
use tokio_rustls::client::TlsStream;

use crate::Error;
use crate::frames::Frames;
use crate::link::{Http1, Protocol, Target};

/// When requests are due: evenly spread.
struct Schedule {
    begin: Instant,
    length: Duration,
    count: u32,
    /// Of HTTP/1.1, where a request goes to the connection that is free: the next one.
    next: Cell<u32>,
}

/// Looked at again at each tick.
type Ticks = watch::Receiver<()>;

/// What became of the requests.
#[derive(Debug, Default)]
struct Outcome {
    /// µs of each that succeeded.
    times: Vec<u32>,
}

/// For answers that are still out when the last request was sent.
const PATIENCE: Duration = Duration::from_secs(10);
/// The shortest time between two ticks: what has become due meanwhile is sent together. It counts as the request's time.
const TICK: Duration = Duration::from_micros(500);
/// Bytes read at once at least.
const READ: usize = 16 * 1024;

pub(crate) async fn run(
    target: Target,
    connections: usize,
    rate: f64,
    length: Duration,
) -> Result<(), Error> {
    let target = Rc::new(target);
    let mut streams = Vec::new();
    for _ in 0..connections {
        streams.push(target.dial().await?);
    }
    let count = (rate * length.as_secs_f64()).ceil() as u32;
    let schedule = Rc::new(Schedule { begin: Instant::now(), length, count, next: Cell::new(0) });
    let (sender, ticks) = watch::channel(());
    let (begin, interval) = (schedule.begin, TICK.max(length / count));
    let clock = thread::spawn(move || tick(&sender, begin, interval, length));
    let mut tasks = JoinSet::new();
    for (number, stream) in (0..).zip(streams) {
        let (target, schedule, ticks) = (target.clone(), schedule.clone(), ticks.clone());
        tasks.spawn_local(async move {
            match target.protocol {
                Protocol::Http1 => one_by_one(target.http1(stream), &schedule, ticks).await,
                Protocol::Http2 => {
                    let share = (number..count).step_by(connections);
                    at_once(&target, stream, &schedule, share, ticks).await
                }
            }
        });
    }
    let mut outcome = Outcome::default();
    while let Some(done) = tasks.join_next().await {
        outcome.times.append(&mut done.expect("no panic"));
    }
    clock.join().expect("no panic");
    println!("{}", outcome.json(count as usize, schedule.begin.elapsed().max(length)));
    Ok(())
}

/// Tells the time. A thread of its own: timers of the runtime are no finer than a millisecond.
fn tick(ticks: &watch::Sender<()>, begin: Instant, interval: Duration, length: Duration) {
    let mut next = begin;
    while next < begin + length {
        // What was missed is not made up for: a tick is for all that is due.
        next = (next + interval).max(Instant::now());
        thread::sleep(next.saturating_duration_since(Instant::now()));
        if ticks.send(()).is_err() {
            return;
        }
    }
}

impl Schedule {
    fn due(&self, number: u32) -> Instant {
        self.begin + self.length.mul_f64(f64::from(number) / f64::from(self.count))
    }

    /// When answers are waited for no longer.
    fn deadline(&self) -> tokio::time::Instant {
        (self.begin + self.length + PATIENCE).into()
    }

    fn is_due(&self, number: u32) -> bool {
        self.due(number) <= Instant::now()
    }
}

/// HTTP/1.1: takes the requests that are due when the connection is free. Answers their times. A connection that has
/// failed leaves what is to come to the others.
async fn one_by_one(mut link: Http1, schedule: &Schedule, mut ticks: Ticks) -> Vec<u32> {
    let mut times = Vec::new();
    loop {
        let number = schedule.next.get();
        if number >= schedule.count {
            return times;
        }
        if !schedule.is_due(number) {
            // The last tick comes when all are due.
            let _ = ticks.changed().await;
            continue;
        }
        schedule.next.set(number + 1);
        if let Err(error) = within(schedule, link.fetch()).await {
            eprintln!("a connection failed: {error}");
            return times;
        }
        times.push(schedule.due(number).elapsed().as_micros().try_into().unwrap_or(u32::MAX));
    }
}

/// HTTP/2: makes the requests of its share when they are due. Answers their times, whatever ends the connection.
async fn at_once(
    target: &Target,
    stream: TlsStream<TcpStream>,
    schedule: &Schedule,
    share: impl Iterator<Item = u32>,
    ticks: Ticks,
) -> Vec<u32> {
    let Ok(mut frames) = target.frames() else { return Vec::new() };
    if let Err(error) = within(schedule, converse(&mut frames, stream, schedule, share, ticks)).await {
        eprintln!("a connection failed: {error}");
    }
    frames.times
}

async fn within(schedule: &Schedule, work: impl Future<Output = Result<(), Error>>) -> Result<(), Error> {
    timeout_at(schedule.deadline(), work).await?
}

async fn converse(
    frames: &mut Frames,
    stream: TlsStream<TcpStream>,
    schedule: &Schedule,
    share: impl Iterator<Item = u32>,
    mut ticks: Ticks,
) -> Result<(), Error> {
    let (mut reader, mut writer) = tokio::io::split(stream);
    let mut share = share.peekable();
    let mut unread = BytesMut::new();
    let mut written = false;
    while share.peek().is_some() || !frames.is_quiet() {
        unread.reserve(READ);
        tokio::select! {
            count = reader.read_buf(&mut unread) => {
                if count? == 0 {
                    return Err("the server has closed it".into());
                }
                frames.receive(&mut unread)?;
            }
            done = write(&mut writer, &mut frames.out), if !written => {
                done?;
                written = true;
            }
            Ok(()) = ticks.changed() => {}
        }
        while frames.has_room() && share.peek().is_some_and(|&number| schedule.is_due(number)) {
            frames.request(schedule.due(share.next().expect("it was seen")));
        }
        written &= frames.out.is_empty();
    }
    Ok(())
}

/// Goes on where it was when it was dropped.
async fn write(writer: &mut (impl AsyncWrite + Unpin), bytes: &mut BytesMut) -> Result<(), Error> {
    writer.write_all_buf(bytes).await?;
    Ok(writer.flush().await?)
}

impl Outcome {
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
