//! What a load balancer is to clients: one address, behind which connections go to another gateway from one moment on.

use std::net::SocketAddr;

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// The address, and who stands behind it. Open connections stay where they are.
pub struct Door {
    addr: SocketAddr,
    behind: watch::Sender<SocketAddr>,
    accepting: JoinHandle<()>,
}

impl Door {
    /// Opens a door to `behind` on a free loopback port.
    pub async fn open(behind: SocketAddr) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let addr = listener.local_addr().unwrap();
        let (behind, current) = watch::channel(behind);
        let accepting = tokio::spawn(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                let target = *current.borrow();
                tokio::spawn(async move {
                    // Whichever side ends, the other is told by its closed socket.
                    if let Ok(mut server) = TcpStream::connect(target).await {
                        let _ = copy_bidirectional(&mut client, &mut server).await;
                    }
                });
            }
        });
        Self { addr, behind, accepting }
    }

    /// Where clients connect.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// New connections go to `behind` from now on.
    pub fn lead_to(&self, behind: SocketAddr) {
        self.behind.send_replace(behind);
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}
