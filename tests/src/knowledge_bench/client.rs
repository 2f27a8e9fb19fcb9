//! The load: a few keep-alive connections that one thread serves. It counts what it costs itself, so that a reader can
//! tell whether the load or the server was measured.

use std::io::{self, ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};
use rustix::time::{ClockId, clock_gettime};

use crate::swarm::histogram::{Histogram, Quantiles};

/// A server that says nothing for that long fails the bench.
const SILENCE_MAX: Duration = Duration::from_secs(60);
/// Fields of an answer's head: the service sends some ten.
const HEAD_FIELDS_MAX: usize = 32;
/// What is read at a time; most answers have a few hundred bytes.
const READ_BYTES: usize = 64 * 1024;

/// A request for a document.
pub fn get(path: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n").into_bytes()
}

/// A request with a body.
pub fn post(path: &str, content_type: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: {content_type}\r\ncontent-length: {length}\r\n\r\n"
    );
    [head.as_bytes(), body].concat()
}

/// What a number of requests took.
#[derive(Debug)]
pub struct Turn {
    /// How long each waited for its answer.
    pub latency: Quantiles,
    /// From the first request to the last answer.
    pub wall: Duration,
    /// CPU time of the load itself.
    pub load_cpu: Duration,
}

impl Turn {
    /// Answers a second.
    #[allow(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
    pub fn per_second(&self) -> f64 {
        self.latency.count as f64 / self.wall.as_secs_f64()
    }

    /// Share of a core that the load took.
    pub fn load_share(&self) -> f64 {
        self.load_cpu.as_secs_f64() / self.wall.as_secs_f64()
    }
}

/// CPU time of this thread so far.
pub fn own_cpu() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec.try_into().unwrap_or(0))
}

/// Connections to one server, each with one request under way.
pub struct Crowd {
    poll: Poll,
    events: Events,
    connections: Vec<Connection>,
}

struct Connection {
    socket: TcpStream,
    /// What of the request is not written yet.
    output: Vec<u8>,
    input: Vec<u8>,
    asked_at: Instant,
    is_busy: bool,
}

impl Crowd {
    /// So many connections.
    ///
    /// # Errors
    /// When one is refused.
    pub fn connect(addr: SocketAddr, count: usize) -> Result<Self> {
        let poll = Poll::new().context("no poller")?;
        let mut connections = Vec::with_capacity(count);
        for index in 0..count {
            let socket = std::net::TcpStream::connect(addr).context("a connection is refused")?;
            socket.set_nodelay(true)?;
            socket.set_nonblocking(true)?;
            let mut socket = TcpStream::from_std(socket);
            poll.registry().register(&mut socket, Token(index), Interest::READABLE | Interest::WRITABLE)?;
            let (output, input) = (Vec::new(), Vec::new());
            connections.push(Connection { socket, output, input, asked_at: Instant::now(), is_busy: false });
        }
        Ok(Self { poll, events: Events::with_capacity(count.max(8)), connections })
    }

    /// Sends all `requests` and waits for the answers: a connection asks again once it has its answer. An answer that is
    /// no success is an error.
    ///
    /// # Errors
    /// When the server refuses, breaks off or says nothing.
    pub fn run(&mut self, requests: &[Vec<u8>]) -> Result<Turn> {
        let mut latency = Histogram::default();
        let mut next = requests.iter();
        let (start, cpu_before) = (Instant::now(), own_cpu());
        for connection in &mut self.connections {
            match next.next() {
                Some(request) => connection.ask(request)?,
                None => break,
            }
        }
        let mut missing = requests.len();
        while missing > 0 {
            self.poll.poll(&mut self.events, Some(SILENCE_MAX)).or_else(|error| match error.kind() {
                ErrorKind::Interrupted => Ok(()),
                _ => Err(error),
            })?;
            ensure!(!self.events.is_empty(), "no answer within {SILENCE_MAX:?}");
            for event in &self.events {
                let connection = &mut self.connections[event.token().0];
                connection.write()?;
                if event.is_readable() && connection.answered()? {
                    let waited = connection.asked_at.elapsed();
                    latency.add(waited.as_nanos().try_into().unwrap_or(u64::MAX));
                    missing -= 1;
                    if let Some(request) = next.next() {
                        connection.ask(request)?;
                    }
                }
            }
        }
        let (wall, load_cpu) = (start.elapsed(), own_cpu().saturating_sub(cpu_before));
        Ok(Turn { latency: latency.quantiles(), wall, load_cpu })
    }
}

impl Connection {
    fn ask(&mut self, request: &[u8]) -> Result<()> {
        self.output.extend_from_slice(request);
        self.asked_at = Instant::now();
        self.is_busy = true;
        self.write()
    }

    fn write(&mut self) -> Result<()> {
        while !self.output.is_empty() {
            match self.socket.write(&self.output) {
                Ok(written) => drop(self.output.drain(..written)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error).context("the server takes no request"),
            }
        }
        Ok(())
    }

    /// Reads what is there; whether the answer to the request is whole.
    fn answered(&mut self) -> Result<bool> {
        if fill(&mut self.socket, &mut self.input)? {
            bail!("the server has closed a connection");
        }
        if !self.is_busy {
            return Ok(false);
        }
        let Some(answer) = parse(&self.input)? else { return Ok(false) };
        ensure!(answer.is_success(), "{}", answer.refusal(&self.input));
        self.input.clear();
        self.is_busy = false;
        Ok(true)
    }
}

/// Reads until there is nothing more now; whether it was closed.
fn fill(socket: &mut TcpStream, input: &mut Vec<u8>) -> Result<bool> {
    loop {
        let held = input.len();
        input.resize(held + READ_BYTES, 0);
        let read = socket.read(&mut input[held..]);
        input.truncate(held + *read.as_ref().unwrap_or(&0));
        match read {
            Ok(0) => return Ok(true),
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
            Err(error) => return Err(error).context("the server gives no answer"),
        }
    }
}

/// One answer in a buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Answer {
    status: u16,
    head_bytes: usize,
    /// `None`: in chunks, to the one without bytes.
    body_bytes: Option<usize>,
}

impl Answer {
    fn is_success(self) -> bool {
        (200..300).contains(&self.status)
    }

    fn refusal(self, input: &[u8]) -> String {
        format!("the server answered {}: {}", self.status, String::from_utf8_lossy(&input[self.head_bytes..]))
    }
}

/// The answer that `input` begins with; `None` while it is not whole.
fn parse(input: &[u8]) -> Result<Option<Answer>> {
    const LAST_CHUNK: &[u8] = b"0\r\n\r\n";
    let mut fields = [httparse::EMPTY_HEADER; HEAD_FIELDS_MAX];
    let mut response = httparse::Response::new(&mut fields);
    let httparse::Status::Complete(head_bytes) = response.parse(input).context("an answer is not HTTP")?
    else {
        return Ok(None);
    };
    let length = response.headers.iter().find(|field| field.name.eq_ignore_ascii_case("content-length"));
    let body_bytes = length.and_then(|field| std::str::from_utf8(field.value).ok()?.trim().parse().ok());
    let is_whole = match body_bytes {
        Some(length) => input.len() >= head_bytes + length,
        None => input[head_bytes..].ends_with(LAST_CHUNK),
    };
    Ok(is_whole.then_some(Answer { status: response.code.unwrap_or(0), head_bytes, body_bytes }))
}

/// One connection that waits, for what is not measured request by request.
pub struct Caller {
    socket: std::net::TcpStream,
    input: Vec<u8>,
}

impl Caller {
    /// A connection.
    ///
    /// # Errors
    /// When it is refused.
    pub fn connect(addr: SocketAddr) -> Result<Self> {
        let socket = std::net::TcpStream::connect(addr).context("a connection is refused")?;
        socket.set_nodelay(true)?;
        socket.set_read_timeout(Some(SILENCE_MAX))?;
        Ok(Self { socket, input: Vec::new() })
    }

    /// Sends a request and waits for the whole answer: its status and body (of an answer in chunks, as they came).
    ///
    /// # Errors
    /// When the server breaks off or says nothing.
    pub fn try_ask(&mut self, request: &[u8]) -> Result<(u16, &[u8])> {
        self.input.clear();
        self.socket.write_all(request).context("the server takes no request")?;
        let answer = loop {
            let held = self.input.len();
            self.input.resize(held + READ_BYTES, 0);
            let read = read_some(&mut self.socket, &mut self.input[held..])?;
            self.input.truncate(held + read);
            ensure!(read > 0, "the server has closed a connection");
            if let Some(answer) = parse(&self.input)? {
                break answer;
            }
        };
        Ok((answer.status, &self.input[answer.head_bytes..]))
    }

    /// The same; an answer that is no success is an error.
    ///
    /// # Errors
    /// The server's refusal, or as [`Self::try_ask`].
    pub fn ask(&mut self, request: &[u8]) -> Result<&[u8]> {
        match self.try_ask(request)? {
            (200..300, body) => Ok(body),
            (status, body) => bail!("the server answered {status}: {}", String::from_utf8_lossy(body)),
        }
    }
}

fn read_some(socket: &mut std::net::TcpStream, room: &mut [u8]) -> Result<usize> {
    loop {
        match socket.read(room) {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            read => return read.map_err(silence).context("the server gives no answer"),
        }
    }
}

fn silence(error: io::Error) -> io::Error {
    match error.kind() {
        ErrorKind::WouldBlock => io::Error::new(ErrorKind::TimedOut, format!("not within {SILENCE_MAX:?}")),
        _ => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_whole_with_its_last_byte_and_not_before() {
        let answer = b"HTTP/1.1 201 Created\r\nContent-Length: 5\r\n\r\nhello";
        for end in 0..answer.len() {
            assert_eq!(parse(&answer[..end]).unwrap(), None, "{end} bytes");
        }
        let whole = parse(answer).unwrap().unwrap();
        assert_eq!((whole.status, whole.body_bytes, whole.is_success()), (201, Some(5), true));
        let chunked = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n";
        assert_eq!(parse(&chunked[..chunked.len() - 1]).unwrap(), None);
        assert_eq!(parse(chunked).unwrap().unwrap().body_bytes, None);
    }

    #[test]
    fn a_refusal_is_told_with_its_words() {
        let answer = b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 4\r\n\r\nbusy";
        let parsed = parse(answer).unwrap().unwrap();
        assert_eq!(parsed.refusal(answer), "the server answered 503: busy");
    }
}
