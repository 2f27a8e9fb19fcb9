//! A swarm as a process of its own that obeys the bench: one command a line on standard input, one answer a line on
//! standard output.

use std::io::{self, BufRead, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use mio::Waker;
use serde::{Deserialize, Serialize};

use super::engine::{Plan, Swarm, WAKE};
use super::event::now_ns;
use super::publish::{Entrance, Publisher};
use super::tally::Counts;
use super::token::holder_name;
use crate::swarm_process::{self, SwarmCommand};

/// Longest wait for sockets while no command comes.
const IDLE_TURN: Duration = Duration::from_millis(200);

/// A revocation is answered once NATS has it.
const REVOKE_TIMEOUT: Duration = Duration::from_secs(5);
/// With two servers, each token is shown to both.
const CLIENTS_PER_HOLDER: u32 = 2;

/// What a swarm is told.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "command")]
pub enum Command {
    /// Close all clients and open these
    Open(Box<Plan>),
    /// Publish through this from now on
    Enter {
        /// How events get in.
        entrance: Entrance,
        /// Topics that there are.
        topics: u32,
    },
    /// Publish bursts, each once all clients have the one before
    Closed {
        /// Bursts.
        flushes: u32,
        /// Events of each.
        burst: u32,
    },
    /// Publish at a steady rate, or only listen
    Steady {
        /// Events a second; none are published where this is 0.
        rate_per_s: f64,
        /// How long, seconds.
        seconds: f64,
        /// Clients that ping meanwhile.
        pinging: usize,
    },
    /// Publish to the clients' own topics
    Own {
        /// Topics that there are.
        topics: u32,
        /// Events.
        events: u32,
        /// Events under way at once.
        window: u32,
    },
    /// Drop all clients, and publish so many events
    Miss {
        /// Events that all of them miss.
        missed: u32,
    },
    /// Open the clients that were dropped again with their tokens, and wait until they have what they missed
    ComeBack {
        /// Events that each lacks.
        missed: u32,
    },
    /// End the right to stay of so many holders of two connections each, and wait until these are closed
    End {
        /// Holders.
        holders: u32,
        /// By revoking each: where, with which token, and the holders' name; else their tokens expire by themselves.
        revoke: Option<(SocketAddr, String, String)>,
        /// When they do, nanoseconds of the shared clock.
        expires_ns: u64,
    },
    /// Close all clients
    Close,
}

impl SwarmCommand for Command {
    const ROLE: &'static str = "driven";

    type Counts = Counts;

    fn error(counts: &Counts) -> &str {
        &counts.error
    }
}

/// A swarm in a process of its own, from the other side.
pub type SwarmProcess = swarm_process::SwarmProcess<Command>;

/// Serves commands until standard input ends.
///
/// # Errors
/// When the system gives no poller or the other end of standard output is gone.
pub fn main() -> Result<()> {
    let mut swarm = Swarm::new(Arc::new(AtomicBool::new(false)))?;
    let waker = Waker::new(swarm.poll.registry(), WAKE).context("no waker")?;
    // One command is under way at a time; the bound only keeps a broken parent from filling memory.
    let (sender, commands) = mpsc::sync_channel::<Command>(1);
    std::thread::spawn(move || {
        for line in io::stdin().lock().lines().map_while(Result::ok) {
            let Ok(command) = serde_json::from_str(&line) else { break };
            if sender.send(command).is_err() || waker.wake().is_err() {
                return;
            }
        }
        // The parent is gone: so are we.
        drop(sender);
        let _ = waker.wake();
    });
    let mut publisher = None;
    loop {
        match commands.try_recv() {
            Ok(command) => {
                let begin = Instant::now();
                let error = obey(&mut swarm, &mut publisher, command).err();
                let mut counts = swarm.counts();
                counts.wall_s = begin.elapsed().as_secs_f64();
                counts.error = error.map(|error| format!("{error:#}")).unwrap_or_default();
                let line = serde_json::to_string(&counts).context("counts have a form in JSON")?;
                writeln!(io::stdout(), "{line}").context("nobody reads the answers")?;
            }
            Err(mpsc::TryRecvError::Disconnected) => return Ok(()),
            // Between commands sockets are still read, or the server would find its clients stalled.
            Err(mpsc::TryRecvError::Empty) => swarm.turn(IDLE_TURN)?,
        }
    }
}

fn obey(swarm: &mut Swarm, publisher: &mut Option<Publisher>, command: Command) -> Result<()> {
    let entered = "no entrance for events was named";
    match command {
        Command::Open(plan) => return swarm.open(*plan),
        Command::Close => {
            swarm.close();
            return Ok(());
        }
        Command::Enter { entrance, topics } => {
            *publisher = Some(Publisher::connect(entrance, topics)?);
            return Ok(());
        }
        _ => swarm.clear(),
    }
    match command {
        Command::Closed { flushes, burst } => {
            swarm.closed_loop(publisher.as_mut().context(entered)?, flushes, burst)
        }
        Command::Own { topics, events, window } => {
            swarm.own_topics(publisher.as_mut().context(entered)?, topics, events, window)
        }
        Command::Steady { rate_per_s, seconds, pinging } => {
            let lent = if rate_per_s > 0.0 { Some(publisher.take().context(entered)?) } else { None };
            let back = swarm.open_loop(lent, rate_per_s, Duration::from_secs_f64(seconds), pinging)?;
            if back.is_some() {
                *publisher = back;
            }
            Ok(())
        }
        Command::Miss { missed } => {
            let publisher = publisher.as_mut().context(entered)?;
            swarm.leave();
            (0..missed).try_for_each(|_| publisher.publish(std::iter::once(0), None))
        }
        Command::ComeBack { missed } => {
            swarm.come_back()?;
            let clients = swarm.counts().ready as u64;
            swarm.wait_for_deliveries(clients * u64::from(missed))
        }
        Command::End { holders, revoke: None, expires_ns } => {
            swarm.wait_for_closes(holders, CLIENTS_PER_HOLDER, |_| Ok(expires_ns))
        }
        Command::End { holders, revoke: Some((addr, token, name)), .. } => {
            swarm.wait_for_closes(holders, CLIENTS_PER_HOLDER, |holder| {
                revoke_token(addr, &token, &holder_name(&name, holder))
            })
        }
        Command::Open(_) | Command::Close | Command::Enter { .. } => Ok(()),
    }
}

/// Asks a gateway to revoke a holder's token; gives when it was asked.
fn revoke_token(addr: SocketAddr, token: &str, holder: &str) -> Result<u64> {
    let body = format!("{{\"id\":\"{holder}\"}}");
    let mut socket = TcpStream::connect(addr).context("the gateway is gone")?;
    socket.set_read_timeout(Some(REVOKE_TIMEOUT))?;
    let asked_ns = now_ns();
    write!(
        socket,
        "POST /api/revocations HTTP/1.1\r\nhost: {addr}\r\nauthorization: Bearer {token}\r\nconnection: close\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )?;
    let mut answer = String::new();
    socket.read_to_string(&mut answer).context("no answer to a revocation")?;
    ensure!(answer.starts_with("HTTP/1.1 201"), "a revocation was answered: {answer:.300}");
    Ok(asked_ns)
}
