//! How many connections this process takes, in all and of one user; and the options of the sockets it takes.

use std::collections::HashMap;
use std::io;
use std::net::TcpStream;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use socket2::{SockRef, TcpKeepalive};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Kernel buffer for what is on its way to a client; without a bound a stalled socket hides megabytes.
const SEND_BUFFER_BYTES: usize = 64 * 1024;
/// The kernel asks for more only when less than this is unsent, so that what is sent is recent.
const UNSENT_LOW_BYTES: u32 = 16 * 1024;
/// Files that are not client connections: the store of NATS connections, logs, pollers, HTTP requests.
const FILES_RESERVED: u64 = 512;

/// Why a connection is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// The process has as many as it may.
    Full,
    /// The user has as many as they may.
    TooManyOfUser,
}

impl Refusal {
    /// Stable code.
    pub fn code(self) -> &'static str {
        match self {
            Self::Full => "too_many_connections",
            Self::TooManyOfUser => "too_many_connections_of_user",
        }
    }
}

/// Counts connections. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Admission {
    all: Arc<Semaphore>,
    per_user_max: Option<usize>,
    // Connections by user; held for one look-up, never over an await.
    by_user: Arc<Mutex<HashMap<String, usize>>>,
}

/// A connection's place; it is free again when this is dropped.
#[derive(Debug)]
pub struct Place {
    _all: OwnedSemaphorePermit,
    admission: Admission,
    user: String,
}

impl Place {
    /// Counts the connection as one of `user`, who has proved it only now.
    pub fn rename(&mut self, user: &str) -> Result<(), Refusal> {
        self.admission.enter(user)?;
        let before = std::mem::replace(&mut self.user, user.to_owned());
        self.admission.leave(&before);
        Ok(())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.admission.leave(&self.user);
    }
}

impl Admission {
    /// At most `max` connections, and `per_user_max` of one user.
    pub fn new(max: usize, per_user_max: Option<usize>) -> Self {
        Self { all: Arc::new(Semaphore::new(max)), per_user_max, by_user: Arc::default() }
    }

    /// Takes a place for a connection of `user`.
    pub fn admit(&self, user: &str) -> Result<Place, Refusal> {
        let all = Arc::clone(&self.all).try_acquire_owned().map_err(|_| Refusal::Full)?;
        self.enter(user)?;
        Ok(Place { _all: all, admission: self.clone(), user: user.to_owned() })
    }

    fn enter(&self, user: &str) -> Result<(), Refusal> {
        let mut by_user = self.by_user.lock().unwrap_or_else(PoisonError::into_inner);
        let count = by_user.get(user).copied().unwrap_or_default();
        if self.per_user_max.is_some_and(|max| count >= max) {
            return Err(Refusal::TooManyOfUser);
        }
        by_user.insert(user.to_owned(), count + 1);
        Ok(())
    }

    fn leave(&self, user: &str) {
        let mut by_user = self.by_user.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = by_user.get_mut(user) {
            *count -= 1;
            if *count == 0 {
                by_user.remove(user);
            }
        }
    }
}

/// Raises the limit of open files as far as it goes and says how many connections that allows.
pub fn connections_allowed(wanted: usize) -> usize {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    if let Err(error) = setrlimit(Resource::Nofile, raised) {
        tracing::debug!(%error, "the limit of open files cannot be raised");
    }
    let files = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    let allowed = usize::try_from(files.saturating_sub(FILES_RESERVED)).unwrap_or(usize::MAX);
    if allowed < wanted {
        tracing::info!(wanted, allowed, "connections are limited by the limit of open files");
    }
    wanted.min(allowed).max(1)
}

/// Bounds what the kernel holds for a client, and finds out about clients that are gone without a word.
pub fn configure(socket: &TcpStream) -> io::Result<()> {
    socket.set_nodelay(true)?;
    let socket = SockRef::from(socket);
    socket.set_send_buffer_size(SEND_BUFFER_BYTES)?;
    socket.set_tcp_notsent_lowat(UNSENT_LOW_BYTES)?;
    let keepalive =
        TcpKeepalive::new().with_time(Duration::from_secs(60)).with_interval(Duration::from_secs(20));
    socket.set_tcp_keepalive(&keepalive.with_retries(3))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_free_again_when_their_connections_end() {
        let admission = Admission::new(3, Some(2));
        let places: Vec<_> = (0..2).map(|_| admission.admit("ada").unwrap()).collect();
        assert_eq!(admission.admit("ada").unwrap_err(), Refusal::TooManyOfUser);
        let bob = admission.admit("bob").unwrap();
        assert_eq!(admission.admit("cleo").unwrap_err(), Refusal::Full);
        drop((places, bob));
        assert!(admission.by_user.lock().unwrap().is_empty());
        let mut place = admission.admit("unauthenticated").unwrap();
        place.rename("bob").unwrap();
        let _second = admission.admit("bob").unwrap();
        assert_eq!(admission.admit("bob").unwrap_err(), Refusal::TooManyOfUser);
    }
}
