//! A client of `/ws` and other WebSockets with JSON: sends, and keeps what it reads in an inbox.

use std::net::SocketAddr;

use futures_util::stream::SplitSink;
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::{HeaderMap, HeaderName, HeaderValue};
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

use crate::wait::Inbox;

/// What a client reads.
#[derive(Debug, Clone, PartialEq)]
pub enum Incoming {
    /// A text message, as JSON.
    Json(Value),
    /// The close frame: code and reason. Code 1006 stands for an end without one.
    Closed(u16, String),
}

/// An open connection.
#[derive(Debug)]
pub struct Ws {
    /// What arrived.
    pub inbox: Inbox<Incoming>,
    /// Headers of the upgrade's answer.
    pub headers: HeaderMap,
    sink: SplitSink<WebSocketStream<TcpStream>, Message>,
    reader: JoinHandle<()>,
}

impl Ws {
    /// Opens `/ws`.
    ///
    /// # Panics
    /// When the upgrade is refused.
    pub async fn open(addr: SocketAddr) -> Self {
        Self::open_with(addr, &[]).await.unwrap_or_else(|error| panic!("/ws refused the upgrade: {error}"))
    }

    /// Opens `/ws` with more headers.
    ///
    /// # Errors
    /// What the upgrade was answered with.
    ///
    /// # Panics
    /// When the gateway is not reachable.
    pub async fn open_with(addr: SocketAddr, headers: &[(&'static str, &str)]) -> Result<Self, Error> {
        Self::open_at(addr, "/ws", headers).await
    }

    /// Opens a WebSocket at any path.
    ///
    /// # Errors
    /// What the upgrade was answered with.
    ///
    /// # Panics
    /// When the gateway is not reachable.
    pub async fn open_at(
        addr: SocketAddr,
        path: &str,
        headers: &[(&'static str, &str)],
    ) -> Result<Self, Error> {
        let mut request = format!("ws://{addr}{path}").into_client_request()?;
        for (name, value) in headers {
            let value = HeaderValue::from_str(value).expect("tests send well-formed headers");
            request.headers_mut().insert(HeaderName::from_static(name), value);
        }
        let socket = TcpStream::connect(addr).await.expect("the gateway is reachable");
        let (stream, response) = client_async(request, socket).await?;
        let (sink, mut source) = stream.split();
        let inbox = Inbox::default();
        let writer = inbox.clone();
        let reader = tokio::spawn(async move {
            let mut told = false;
            while let Some(Ok(message)) = source.next().await {
                match message {
                    Message::Text(text) => {
                        let json = serde_json::from_str(&text)
                            .unwrap_or_else(|error| panic!("message {text:?} is no JSON: {error}"));
                        writer.push(Incoming::Json(json));
                    }
                    Message::Close(frame) => {
                        told = true;
                        let (code, reason) = frame.map_or((1005, String::new()), |frame| {
                            (frame.code.into(), frame.reason.to_string())
                        });
                        writer.push(Incoming::Closed(code, reason));
                    }
                    _ => {}
                }
            }
            if !told {
                writer.push(Incoming::Closed(1006, String::new()));
            }
        });
        Ok(Self { inbox, headers: response.headers().clone(), sink, reader })
    }

    /// Sends an envelope.
    pub async fn send(&mut self, kind: &str, payload: Value) {
        self.send_text(json!({"type": kind, "payload": payload}).to_string()).await;
    }

    /// Sends any text.
    ///
    /// # Panics
    /// When the connection is gone.
    pub async fn send_text(&mut self, text: String) {
        self.sink.send(Message::text(text)).await.expect("the connection is open");
    }

    /// The first message of this type.
    ///
    /// # Panics
    /// When it does not come within the deadline.
    pub async fn of_type(&self, kind: &str) -> Value {
        self.json(&format!("a message {kind}"), |json| json["type"] == kind).await
    }

    /// The first message that `wanted` accepts.
    ///
    /// # Panics
    /// When it does not come within the deadline.
    pub async fn json(&self, what: &str, mut wanted: impl FnMut(&Value) -> bool) -> Value {
        self.inbox
            .wait(what, |all| {
                all.iter().find_map(|entry| match entry {
                    Incoming::Json(json) if wanted(json) => Some(json.clone()),
                    _ => None,
                })
            })
            .await
    }

    /// Code and reason of the close.
    ///
    /// # Panics
    /// When it does not come within the deadline.
    pub async fn closed(&self) -> (u16, String) {
        self.inbox
            .wait("the close", |all| {
                all.iter().find_map(|entry| match entry {
                    Incoming::Closed(code, reason) => Some((*code, reason.clone())),
                    Incoming::Json(_) => None,
                })
            })
            .await
    }
}

impl Drop for Ws {
    fn drop(&mut self) {
        self.reader.abort();
    }
}
