//! How many connections this process takes: in all, of one user, from one address, in a second.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::hash::Hash;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::budget::{Budget, Level};

/// Files of a connection: its socket, and with TLS the pair that leads to its worker (decision 008).
const FILES_PER_CONNECTION: u64 = 1;
const FILES_PER_CONNECTION_TLS: u64 = 3;
/// Files that are not client connections: the store of NATS connections, logs, pollers, HTTP requests.
const FILES_RESERVED: u64 = 512;

/// Why a connection is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// The process has as many as it may.
    Full,
    /// The user has as many as they may.
    TooManyOfUser,
    /// The address has as many as it may.
    TooManyOfAddress,
    /// More come in a second than are taken.
    TooFast,
    /// The process is short of memory.
    ShortOfMemory,
}

impl Refusal {
    /// Stable code.
    pub fn code(self) -> &'static str {
        match self {
            Self::Full => "too_many_connections",
            Self::TooManyOfUser => "too_many_connections_of_user",
            Self::TooManyOfAddress => "too_many_connections_of_address",
            Self::TooFast => "too_many_connects",
            Self::ShortOfMemory => "short_of_memory",
        }
    }
}

/// How many connections are taken.
#[derive(Debug, Clone, Copy)]
pub struct AdmissionLimits {
    /// In all.
    pub connections: usize,
    /// Of one user; `None` where everybody is the same one.
    pub per_user: Option<usize>,
    /// From one address; `None` where many share one.
    pub per_address: Option<usize>,
    /// In a second; `None`: as many as come.
    pub per_second: Option<u32>,
}

/// Counts connections. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Admission {
    limits: AdmissionLimits,
    budget: Budget,
    all: Arc<Semaphore>,
    // Held for one look-up, never over an await.
    counted: Arc<Mutex<Counted>>,
}

#[derive(Debug)]
struct Counted {
    by_user: HashMap<String, usize>,
    by_address: HashMap<IpAddr, usize>,
    /// Connections that may be taken now; fills up again with time.
    tokens: f64,
    filled_at: Instant,
}

/// A connection's place; it is free again when this is dropped.
#[derive(Debug)]
pub struct Place {
    _all: OwnedSemaphorePermit,
    admission: Admission,
    /// Whose it is, once the client has proved it.
    user: Option<String>,
    address: IpAddr,
}

impl Place {
    /// Counts the connection as one of `user`, who has proved it only now.
    pub fn rename(&mut self, user: &str) -> Result<(), Refusal> {
        if self.user.as_deref() == Some(user) {
            return Ok(());
        }
        let mut counted = self.admission.counted();
        enter(&mut counted.by_user, user.to_owned(), self.admission.limits.per_user, Refusal::TooManyOfUser)?;
        if let Some(before) = self.user.replace(user.to_owned()) {
            leave(&mut counted.by_user, &before);
        }
        Ok(())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut counted = self.admission.counted();
        if let Some(user) = &self.user {
            leave(&mut counted.by_user, user);
        }
        leave(&mut counted.by_address, &self.address);
    }
}

impl Admission {
    /// With these limits, as long as memory lasts.
    pub fn new(limits: AdmissionLimits, budget: Budget) -> Self {
        let counted = Counted {
            by_user: HashMap::new(),
            by_address: HashMap::new(),
            tokens: f64::from(limits.per_second.unwrap_or(0)),
            filled_at: Instant::now(),
        };
        let all = Arc::new(Semaphore::new(limits.connections));
        Self { limits, budget, all, counted: Arc::new(Mutex::new(counted)) }
    }

    /// Takes a place for a connection of `user` from `address`; `None` for a client that has yet to prove who it is. Those
    /// have no limit together, or strangers could keep everybody out: they are few, for they have seconds to prove it.
    pub fn admit(&self, user: Option<&str>, address: IpAddr) -> Result<Place, Refusal> {
        if self.budget.level() >= Level::Refuse {
            return Err(Refusal::ShortOfMemory);
        }
        let all = Arc::clone(&self.all).try_acquire_owned().map_err(|_| Refusal::Full)?;
        let mut counted = self.counted();
        if let Some(per_second) = self.limits.per_second {
            counted.fill(f64::from(per_second), Instant::now());
            if counted.tokens < 1.0 {
                return Err(Refusal::TooFast);
            }
        }
        if let Some(user) = user {
            enter(&mut counted.by_user, user.to_owned(), self.limits.per_user, Refusal::TooManyOfUser)?;
        }
        let limit = self.limits.per_address;
        if let Err(refusal) = enter(&mut counted.by_address, address, limit, Refusal::TooManyOfAddress) {
            if let Some(user) = user {
                leave(&mut counted.by_user, user);
            }
            return Err(refusal);
        }
        counted.tokens -= 1.0;
        Ok(Place { _all: all, admission: self.clone(), user: user.map(str::to_owned), address })
    }

    fn counted(&self) -> MutexGuard<'_, Counted> {
        self.counted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Counted {
    /// A second's worth of connections may come at once.
    fn fill(&mut self, per_second: f64, now: Instant) {
        let since = now.saturating_duration_since(self.filled_at).as_secs_f64();
        self.tokens = (self.tokens + since * per_second).min(per_second);
        self.filled_at = now;
    }
}

fn enter<K: Hash + Eq>(
    counts: &mut HashMap<K, usize>,
    key: K,
    max: Option<usize>,
    refusal: Refusal,
) -> Result<(), Refusal> {
    // A name that is refused leaves no entry.
    let count = counts.get(&key).copied().unwrap_or(0);
    if max.is_some_and(|max| count >= max) {
        return Err(refusal);
    }
    counts.insert(key, count + 1);
    Ok(())
}

fn leave<K: Hash + Eq + Borrow<Q>, Q: Hash + Eq + ?Sized>(counts: &mut HashMap<K, usize>, key: &Q) {
    if let Some(count) = counts.get_mut(key) {
        *count -= 1;
        if *count == 0 {
            counts.remove(key);
        }
    }
}

/// Raises the limit of open files as far as it goes and says how many connections that allows.
pub fn connections_allowed(wanted: usize, is_tls: bool) -> usize {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    if let Err(error) = setrlimit(Resource::Nofile, raised) {
        tracing::debug!(%error, "the limit of open files cannot be raised");
    }
    let files = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    let allowed = connections_of(files, is_tls);
    if allowed < wanted {
        tracing::info!(wanted, allowed, "connections are limited by the limit of open files");
    }
    wanted.min(allowed).max(1)
}

fn connections_of(files: u64, is_tls: bool) -> usize {
    let each = if is_tls { FILES_PER_CONNECTION_TLS } else { FILES_PER_CONNECTION };
    usize::try_from(files.saturating_sub(FILES_RESERVED) / each).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;
    use std::time::Duration;

    use super::*;

    const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
    const NONE: AdmissionLimits =
        AdmissionLimits { connections: 100, per_user: None, per_address: None, per_second: None };

    fn refused(admission: &Admission, user: &str) -> Refusal {
        admission.admit(Some(user), HERE).unwrap_err()
    }

    #[test]
    fn a_connection_of_tls_counts_as_the_files_that_it_needs() {
        assert_eq!(connections_of(FILES_RESERVED + 300, false), 300);
        assert_eq!(connections_of(FILES_RESERVED + 300, true), 100);
        assert_eq!(connections_of(FILES_RESERVED - 1, true), 0);
    }

    #[test]
    fn places_are_free_again_when_their_connections_end() {
        let limits = AdmissionLimits { connections: 3, per_user: Some(2), ..NONE };
        let admission = Admission::new(limits, Budget::default());
        let places: Vec<_> = (0..2).map(|_| admission.admit(Some("ada"), HERE).unwrap()).collect();
        assert_eq!(refused(&admission, "ada"), Refusal::TooManyOfUser);
        let bob = admission.admit(Some("bob"), HERE).unwrap();
        assert_eq!(refused(&admission, "cleo"), Refusal::Full);
        drop((places, bob));
        assert!(admission.counted().by_user.is_empty() && admission.counted().by_address.is_empty());
        let mut place = admission.admit(None, HERE).unwrap();
        place.rename("bob").unwrap();
        let _second = admission.admit(Some("bob"), HERE).unwrap();
        assert_eq!(refused(&admission, "bob"), Refusal::TooManyOfUser);
    }

    #[test]
    fn an_address_has_a_limit_of_its_own_and_a_refusal_leaves_no_trace() {
        let limits = AdmissionLimits { per_address: Some(1), ..NONE };
        let admission = Admission::new(limits, Budget::default());
        let _place = admission.admit(Some("ada"), HERE).unwrap();
        assert_eq!(refused(&admission, "bob"), Refusal::TooManyOfAddress);
        assert!(!admission.counted().by_user.contains_key("bob"));
        admission.admit(Some("bob"), IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2))).unwrap();
    }

    #[test]
    fn more_than_a_second_s_worth_at_once_is_refused_until_time_has_passed() {
        let limits = AdmissionLimits { per_second: Some(2), ..NONE };
        let admission = Admission::new(limits, Budget::default());
        let _places =
            [admission.admit(Some("ada"), HERE).unwrap(), admission.admit(Some("ada"), HERE).unwrap()];
        // However slow this test is, the third is a matter of whole tokens.
        admission.counted().tokens = 0.0;
        admission.counted().filled_at = Instant::now() + Duration::from_secs(60);
        assert_eq!(refused(&admission, "ada"), Refusal::TooFast);
        let now = Instant::now();
        admission.counted().filled_at = now;
        admission.counted().fill(2.0, now + Duration::from_millis(500));
        assert!((admission.counted().tokens - 1.0).abs() < 1e-9);
    }
}
