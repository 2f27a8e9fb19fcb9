//! The negative control: the knowledge base's own store and API, and around it the mistake that Bywash exists to avoid.
//! After the write and before the answer, the request awaits a write to every connected client's socket, one after
//! another. There is no sleep and no time-out in it.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{Method, StatusCode};
use axum::middleware::Next;
use axum::response::Response;
use bytes::Bytes;
use socket2::SockRef;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};

/// Path of a stream.
pub const STREAM_PATH: &str = "/stream";
/// Path of a stream that begins with everything so far.
pub const BACKLOG_PATH: &str = "/stream?backlog";
/// Path of the number of clients whose write has been blocked for longer than [`BLOCKED_AFTER`].
pub const BLOCKED_PATH: &str = "/blocked";

/// The gateway's own kernel buffer for a client: both sides hide a stall equally badly.
const SEND_BUFFER_BYTES: usize = 64 * 1024;
/// A write that takes longer than this is blocked: a socket with room takes microseconds.
const BLOCKED_AFTER: Duration = Duration::from_millis(500);
/// Events kept for clients that ask for a backlog; older ones go.
const BACKLOG_EVENTS_MAX: usize = 4096;
/// Largest answer of the API that is copied into an event.
const ANSWER_SIZE_MAX: usize = 64 * 1024;
/// Largest head of a request for a stream.
const HEAD_SIZE_MAX: usize = 8 * 1024;

/// One connected client.
struct Client {
    socket: tokio::sync::Mutex<OwnedWriteHalf>,
    /// When the write under way began, milliseconds since the start, plus one; 0 while there is none.
    writing_since_ms: AtomicU64,
    gone: std::sync::atomic::AtomicBool,
}

/// All connected clients.
pub struct Broadcast {
    // Both protect a list and are held for a copy, never over an await.
    clients: Mutex<Vec<Arc<Client>>>,
    backlog: Mutex<Vec<Bytes>>,
    start: Instant,
}

impl Default for Broadcast {
    fn default() -> Self {
        Self { clients: Mutex::default(), backlog: Mutex::default(), start: Instant::now() }
    }
}

impl Broadcast {
    fn now_ms(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Writes `frame` to every client, one after another, and returns when the last has taken it.
    async fn send(&self, frame: Bytes) {
        {
            let mut backlog = self.backlog.lock().unwrap_or_else(PoisonError::into_inner);
            if backlog.len() == BACKLOG_EVENTS_MAX {
                backlog.remove(0);
            }
            backlog.push(frame.clone());
        }
        let clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner).clone();
        for client in clients {
            self.write(&client, &frame).await;
        }
    }

    async fn write(&self, client: &Client, frame: &[u8]) {
        let mut socket = client.socket.lock().await;
        client.writing_since_ms.store(self.now_ms() + 1, Ordering::Relaxed);
        if socket.write_all(frame).await.is_err() {
            client.gone.store(true, Ordering::Relaxed);
        }
        client.writing_since_ms.store(0, Ordering::Relaxed);
    }

    /// Clients whose socket is seen to block a write now.
    fn blocked(&self) -> usize {
        let clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        let latest_ms =
            self.now_ms().saturating_sub(u64::try_from(BLOCKED_AFTER.as_millis()).unwrap_or(u64::MAX));
        let since = |client: &&Arc<Client>| client.writing_since_ms.load(Ordering::Relaxed);
        clients.iter().filter(|client| since(client) != 0 && since(client) <= latest_ms).count()
    }

    fn forget(&self, client: &Arc<Client>) {
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        clients.retain(|other| !Arc::ptr_eq(other, client) && !other.gone.load(Ordering::Relaxed));
    }
}

/// Middleware around the API: the mistake.
pub async fn await_every_client(
    State(broadcast): State<Arc<Broadcast>>,
    request: Request,
    next: Next,
) -> Response {
    let is_write = request.method() == Method::POST && request.uri().path() == "/api/facts";
    let response = next.run(request).await;
    if !is_write || response.status() != StatusCode::CREATED {
        return response;
    }
    let (head, body) = response.into_parts();
    let Ok(body) = axum::body::to_bytes(body, ANSWER_SIZE_MAX).await else {
        return Response::from_parts(head, Body::empty());
    };
    broadcast.send(frame(&body)).await;
    Response::from_parts(head, Body::from(body))
}

/// The answer as an event of the form that the gateway sends.
fn frame(answer: &[u8]) -> Bytes {
    let answer = String::from_utf8_lossy(answer);
    let frame = format!(
        "id: 0000000000000000.0000000000000000\ndata: {{\"topic\":\"kb.facts\",\"seq\":0,\"type\":\"fact_added\",\
         \"time\":\"2026-01-01T00:00:00.000Z\",\"trace\":null,\"data\":{answer}}}\n\n"
    );
    Bytes::from(frame)
}

/// Serves the clients' streams until the process ends.
pub async fn serve_streams(listener: TcpListener, broadcast: Arc<Broadcast>) {
    loop {
        let Ok((socket, _)) = listener.accept().await else { continue };
        let broadcast = Arc::clone(&broadcast);
        tokio::spawn(async move {
            // An error means that this client is gone.
            let _ = serve_client(socket, &broadcast).await;
        });
    }
}

async fn serve_client(socket: TcpStream, broadcast: &Broadcast) -> std::io::Result<()> {
    socket.set_nodelay(true)?;
    SockRef::from(&socket).set_send_buffer_size(SEND_BUFFER_BYTES)?;
    let (mut reader, mut writer) = socket.into_split();
    let path = requested_path(&mut reader).await?;
    if path == BLOCKED_PATH {
        let body = broadcast.blocked().to_string();
        let answer =
            format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}", body.len());
        return writer.write_all(answer.as_bytes()).await;
    }
    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\nevent: ready\ndata: {}\n\n";
    writer.write_all(head.as_bytes()).await?;
    let client = Arc::new(Client {
        socket: tokio::sync::Mutex::new(writer),
        writing_since_ms: AtomicU64::new(0),
        gone: std::sync::atomic::AtomicBool::new(false),
    });
    let backlog = if path == BACKLOG_PATH {
        broadcast.backlog.lock().unwrap_or_else(PoisonError::into_inner).concat()
    } else {
        Vec::new()
    };
    broadcast.clients.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(&client));
    let mut nothing = [0; 16];
    tokio::select! {
        // Ends when the client closes: streams carry nothing towards the server.
        _ = reader.read(&mut nothing) => {}
        () = async {
            broadcast.write(&client, &backlog).await;
            std::future::pending::<()>().await;
        } => {}
    }
    broadcast.forget(&client);
    Ok(())
}

async fn requested_path(reader: &mut OwnedReadHalf) -> std::io::Result<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        if head.len() > HEAD_SIZE_MAX {
            return Err(std::io::ErrorKind::InvalidData.into());
        }
        head.push(reader.read_u8().await?);
    }
    let head = String::from_utf8_lossy(&head);
    Ok(head.split(' ').nth(1).unwrap_or_default().to_owned())
}

/// Where the control listens.
#[derive(Debug, Clone, Copy, serde::Serialize, serde::Deserialize)]
pub struct Addresses {
    /// The API.
    pub api: SocketAddr,
    /// The streams.
    pub streams: SocketAddr,
}
