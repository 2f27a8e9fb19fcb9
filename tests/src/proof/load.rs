//! The measuring client: requests at times set beforehand, whatever the answers do (open loop). Latency counts from
//! the due time, so a request that had to wait for its turn shows it.
//!
//! One thread a request under way, with blocking sockets: nothing here has a scheduler of its own that could add to
//! what is measured, and the cost is the same in every phase.

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// After this the client gives up; such a request counts as this long, and as failed.
pub const GIVE_UP: Duration = Duration::from_secs(5);
/// Stack of a worker: it keeps its buffers on the heap.
const STACK_SIZE_BYTES: usize = 128 * 1024;
/// Largest answer that is read.
const ANSWER_SIZE_MAX: usize = 1 << 20;

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Endpoint {
    /// `POST /api/facts`.
    PostFact,
    /// `GET /api/facts/count`.
    Count,
    /// `GET /health`.
    Health,
    /// `GET /api/status`.
    Status,
    /// `POST /api/search`.
    Search,
}

impl Endpoint {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::PostFact, Self::Count, Self::Health, Self::Status, Self::Search];

    /// Method and path.
    pub fn name(self) -> &'static str {
        match self {
            Self::PostFact => "POST /api/facts",
            Self::Count => "GET /api/facts/count",
            Self::Health => "GET /health",
            Self::Status => "GET /api/status",
            Self::Search => "POST /api/search",
        }
    }

    /// The request's bytes. `label` and `number` make a fact that nobody posted before.
    pub fn request(self, label: &str, number: usize) -> Vec<u8> {
        let body = match self {
            Self::PostFact => {
                let statement = format!("Measured({label}, n{number}).");
                format!(r#"{{"statement":"{statement}","context":"proof","confidence":1}}"#)
            }
            Self::Search => format!(r#"{{"query":"n{number}","limit":10,"mode":"text"}}"#),
            Self::Count | Self::Health | Self::Status => String::new(),
        };
        let head = if body.is_empty() {
            String::new()
        } else {
            format!("content-type: application/json\r\ncontent-length: {}\r\n", body.len())
        };
        format!("{} HTTP/1.1\r\nhost: localhost\r\n{head}\r\n{body}", self.name()).into_bytes()
    }
}

/// One kind of request at a fixed rate.
#[derive(Debug, Clone, Copy)]
pub struct Series {
    /// What is asked for.
    pub endpoint: Endpoint,
    /// How often in all.
    pub requests: u32,
    /// Time between two.
    pub interval: Duration,
    /// When the first is due.
    pub offset: Duration,
}

/// One request's end.
#[derive(Debug, Clone, Copy)]
pub struct Outcome {
    /// What was asked for.
    pub endpoint: Endpoint,
    /// From the due time to the last byte of the answer, milliseconds; [`GIVE_UP`] where it did not come.
    pub latency_ms: f64,
    /// Whether it was answered in time with a status of success.
    pub succeeded: bool,
}

/// A request with its due time.
struct Job {
    due: Instant,
    endpoint: Endpoint,
    bytes: Vec<u8>,
}

#[derive(Default)]
struct Queue {
    jobs: VecDeque<Job>,
    idle_workers: usize,
    closed: bool,
    outcomes: Vec<Outcome>,
}

#[derive(Default)]
struct Shared {
    // Protects the queue, which never holds more than the workers being started take at once.
    queue: Mutex<Queue>,
    changed: Condvar,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Sends all of `series` to `addr` and returns when the last has ended. Blocks this thread.
///
/// # Errors
/// When the system has no more threads.
pub fn run(addr: SocketAddr, series: &[Series], label: &str) -> io::Result<Vec<Outcome>> {
    let mut schedule: Vec<(Duration, Endpoint, usize)> = Vec::new();
    for one in series {
        for number in 0..one.requests {
            schedule.push((one.offset + one.interval * number, one.endpoint, number as usize));
        }
    }
    schedule.sort_by_key(|(due, ..)| *due);

    let shared = Arc::new(Shared::default());
    let mut workers = Vec::new();
    let start = Instant::now();
    for (offset, endpoint, number) in schedule {
        let job = Job { due: start + offset, endpoint, bytes: endpoint.request(label, number) };
        thread::sleep(job.due.saturating_duration_since(Instant::now()));
        let mut queue = shared.lock();
        queue.jobs.push_back(job);
        let covered = queue.idle_workers >= queue.jobs.len();
        drop(queue);
        if covered {
            shared.changed.notify_one();
        } else {
            let shared = Arc::clone(&shared);
            workers.push(
                thread::Builder::new().stack_size(STACK_SIZE_BYTES).spawn(move || work(&shared, addr))?,
            );
        }
    }
    shared.lock().closed = true;
    shared.changed.notify_all();
    for worker in workers {
        worker.join().map_err(|_| io::Error::other("a worker of the measuring client panicked"))?;
    }
    Ok(std::mem::take(&mut shared.lock().outcomes))
}

fn work(shared: &Shared, addr: SocketAddr) {
    let mut connection = None;
    loop {
        let mut queue = shared.lock();
        let job = loop {
            if let Some(job) = queue.jobs.pop_front() {
                break job;
            }
            if queue.closed {
                return;
            }
            queue.idle_workers += 1;
            queue = shared.changed.wait(queue).unwrap_or_else(PoisonError::into_inner);
            queue.idle_workers -= 1;
        };
        drop(queue);
        let outcome = perform(&mut connection, addr, &job);
        shared.lock().outcomes.push(outcome);
    }
}

fn perform(connection: &mut Option<Connection>, addr: SocketAddr, job: &Job) -> Outcome {
    let deadline = job.due + GIVE_UP;
    let answered = Connection::reuse_or_open(connection, addr, deadline)
        .and_then(|connection| connection.exchange(&job.bytes, deadline));
    let succeeded = match answered {
        Ok(status) => (200..300).contains(&status),
        Err(_) => {
            *connection = None;
            return Outcome {
                endpoint: job.endpoint,
                latency_ms: GIVE_UP.as_secs_f64() * 1e3,
                succeeded: false,
            };
        }
    };
    Outcome { endpoint: job.endpoint, latency_ms: job.due.elapsed().as_secs_f64() * 1e3, succeeded }
}

/// `count` requests, each after the answer to the one before, as the old systems' own check did.
pub fn sequential(addr: SocketAddr, endpoint: Endpoint, count: usize, label: &str) -> Vec<Outcome> {
    let mut connection = None;
    let mut next = |number| {
        let job = Job { due: Instant::now(), endpoint, bytes: endpoint.request(label, number) };
        perform(&mut connection, addr, &job)
    };
    (0..count).map(&mut next).collect()
}

/// One request's answer as text, for looks at a service outside the measurement.
///
/// # Errors
/// When the service does not answer with success in time.
pub fn get(addr: SocketAddr, path: &str) -> io::Result<String> {
    let deadline = Instant::now() + GIVE_UP;
    let mut connection = Connection::open(addr, deadline)?;
    let status = connection
        .exchange(format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n").as_bytes(), deadline)?;
    let body = String::from_utf8_lossy(&connection.body).into_owned();
    if (200..300).contains(&status) {
        Ok(body)
    } else {
        Err(io::Error::other(format!("{path}: {status} {body}")))
    }
}

/// A kept-alive HTTP/1.1 connection.
struct Connection {
    socket: TcpStream,
    buffer: Vec<u8>,
    body: Vec<u8>,
}

impl Connection {
    fn open(addr: SocketAddr, deadline: Instant) -> io::Result<Self> {
        let socket = TcpStream::connect_timeout(&addr, time_left(deadline)?)?;
        socket.set_nodelay(true)?;
        Ok(Self { socket, buffer: Vec::new(), body: Vec::new() })
    }

    fn reuse_or_open(slot: &mut Option<Self>, addr: SocketAddr, deadline: Instant) -> io::Result<&mut Self> {
        match slot {
            Some(connection) => Ok(connection),
            None => Ok(slot.insert(Self::open(addr, deadline)?)),
        }
    }

    /// Sends a request and reads the whole answer; gives its status.
    fn exchange(&mut self, request: &[u8], deadline: Instant) -> io::Result<u16> {
        self.socket.set_write_timeout(Some(time_left(deadline)?))?;
        self.socket.write_all(request)?;
        self.buffer.clear();
        let head_end = loop {
            if let Some(end) = self.buffer.windows(4).position(|four| four == b"\r\n\r\n") {
                break end + 4;
            }
            self.fill(deadline)?;
        };
        let head = String::from_utf8_lossy(&self.buffer[..head_end]).to_ascii_lowercase();
        let malformed = || io::Error::new(io::ErrorKind::InvalidData, format!("malformed answer: {head}"));
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).ok_or_else(malformed)?;
        let length: usize = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok())
            .or_else(|| head.contains("transfer-encoding: chunked").then_some(usize::MAX))
            .ok_or_else(malformed)?;
        if length == usize::MAX {
            // Chunks: our services send them only for answers of unknown length; the last chunk is empty.
            while !self.buffer.ends_with(b"0\r\n\r\n") {
                self.fill(deadline)?;
            }
        } else {
            while self.buffer.len() < head_end + length {
                self.fill(deadline)?;
            }
        }
        self.body = self.buffer.split_off(head_end);
        Ok(status)
    }

    fn fill(&mut self, deadline: Instant) -> io::Result<()> {
        if self.buffer.len() > ANSWER_SIZE_MAX {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "the answer is too large"));
        }
        self.socket.set_read_timeout(Some(time_left(deadline)?))?;
        let mut piece = [0; 4096];
        match self.socket.read(&mut piece)? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            count => {
                self.buffer.extend_from_slice(&piece[..count]);
                Ok(())
            }
        }
    }
}

fn time_left(deadline: Instant) -> io::Result<Duration> {
    let left = deadline.saturating_duration_since(Instant::now());
    if left.is_zero() { Err(io::ErrorKind::TimedOut.into()) } else { Ok(left) }
}
