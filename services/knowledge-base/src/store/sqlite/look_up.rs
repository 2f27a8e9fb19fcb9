//! Look-ups by number or key, on the thread that asks. One takes some 5 us, and to hand it to another thread and back
//! takes ten times that, or many milliseconds where every core is busy with a bulk load.
//!
//! A page that is not in memory is read from the disk on that thread as well; a look-up needs a handful of them at most.

use std::path::Path;
use std::sync::{Mutex, MutexGuard};

use rusqlite::Connection;

use super::connections;

/// Connections for look-ups: as many can go on at once. One that finds none free is handed to a reader.
const CONNECTIONS: usize = 4;

/// The connections. They are closed before the one that writes: see [`super::SqliteStore`].
pub struct LookUps([Mutex<Connection>; CONNECTIONS]);

impl LookUps {
    /// Opens them.
    pub fn open(path: &Path) -> rusqlite::Result<Self> {
        let open = || connections::open_reader(path).map(Mutex::new);
        Ok(Self([open()?, open()?, open()?, open()?]))
    }

    /// A connection that nobody uses; never waits.
    pub fn free(&self) -> Option<MutexGuard<'_, Connection>> {
        self.0.iter().find_map(|connection| connection.try_lock().ok())
    }
}
