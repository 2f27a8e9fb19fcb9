//! A tiny balancer in front of whatever listens on TCP: one address, behind which connections go to other servers from
//! one moment on. It can stop to carry, as a broken network does.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// Bytes carried at once.
const PIECE_SIZE: usize = 16 * 1024;

/// The address, and who stands behind it. Open connections stay where they are.
#[derive(Debug)]
pub struct Door {
    addr: SocketAddr,
    behind: watch::Sender<Vec<SocketAddr>>,
    carries: watch::Sender<bool>,
    accepting: JoinHandle<()>,
}

impl Door {
    /// Opens a door to `behind`, each in turn, on a free loopback port.
    ///
    /// # Panics
    /// When there is no free port.
    pub async fn open(behind: &[SocketAddr]) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("loopback has a free port");
        let addr = listener.local_addr().expect("a listener has an address");
        let (behind, current) = watch::channel(behind.to_vec());
        let (carries, carried) = watch::channel(true);
        let accepting = tokio::spawn(async move {
            let mut turn = 0;
            while let Ok((client, _)) = listener.accept().await {
                let targets = current.borrow().clone();
                turn += 1;
                // With nobody behind it, the door closes at once.
                if let Some(target) = targets.get(turn % targets.len().max(1)) {
                    tokio::spawn(lead(client, *target, carried.clone()));
                }
            }
        });
        Self { addr, behind, carries, accepting }
    }

    /// Where clients connect.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// New connections go to `behind` from now on.
    pub fn lead_to(&self, behind: &[SocketAddr]) {
        self.behind.send_replace(behind.to_vec());
    }

    /// Nothing comes through any more, and nobody is told.
    pub fn stop_carrying(&self) {
        self.carries.send_replace(false);
    }

    /// Everything comes through again, also what waited.
    pub fn carry_again(&self) {
        self.carries.send_replace(true);
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// Whichever side ends, the other is told by its closed socket.
async fn lead(client: TcpStream, target: SocketAddr, carries: watch::Receiver<bool>) {
    let Ok(server) = TcpStream::connect(target).await else { return };
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    tokio::join!(carry(from_client, to_server, carries.clone()), carry(from_server, to_client, carries));
}

async fn carry(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut carries: watch::Receiver<bool>) {
    let mut piece = vec![0; PIECE_SIZE];
    while let Ok(count) = from.read(&mut piece).await {
        // An error means that the door is gone, and nobody stops it any more.
        let _ = carries.wait_for(|carries| *carries).await;
        if count == 0 || to.write_all(&piece[..count]).await.is_err() {
            break;
        }
    }
    // An error means that the other side has ended already.
    let _ = to.shutdown().await;
}
