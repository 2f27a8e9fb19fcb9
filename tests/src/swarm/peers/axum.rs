//! The peer that one would write with axum: a task per connection and `tokio::sync::broadcast` per topic.

use std::collections::HashMap;
use std::convert::Infallible;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result};
use axum::Router;
use axum::extract::ws::{Message, Utf8Bytes, WebSocket, WebSocketUpgrade};
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::sse::{Event, Sse};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use futures_util::stream::{self, SelectAll, Stream, StreamExt};
use serde::Deserialize;
use tokio::net::TcpListener;
use tokio::sync::broadcast::{self, Receiver, Sender};

use super::{Listening, announce, end_with_parent};

/// Events that a receiver may be behind: enough for a burst, as a careful author would choose.
const CHANNEL_EVENTS: usize = 256;

#[derive(Clone)]
struct App {
    // Held for one look-up, never over an await.
    topics: Arc<Mutex<HashMap<String, Sender<Utf8Bytes>>>>,
    read_buffer_size: Option<usize>,
}

#[derive(Deserialize)]
struct Follow {
    topics: String,
}

#[derive(Deserialize)]
struct To {
    topic: String,
}

/// Serves until standard input ends. `read_buffer_size`: of each WebSocket, bytes; axum's own default without it.
///
/// # Errors
/// When the system gives no port.
pub fn main(read_buffer_size: Option<usize>) -> Result<()> {
    end_with_parent();
    let app = App { topics: Arc::default(), read_buffer_size };
    let router = Router::new()
        .route("/ws", get(websocket))
        .route("/sse", get(events))
        .route("/publish", post(publish))
        .with_state(app);
    // As `#[tokio::main]` makes it.
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().context("no runtime")?;
    runtime.block_on(async {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.context("no port")?;
        let port = listener.local_addr()?.port();
        announce(Listening { clients: port, events: port });
        let listener = axum::serve::ListenerExt::tap_io(listener, |socket| {
            // Fails only for a socket that is gone already.
            let _ = socket.set_nodelay(true);
        });
        axum::serve(listener, router).await.context("the server ended")
    })
}

impl App {
    fn sender(&self, topic: &str) -> Sender<Utf8Bytes> {
        let mut topics = self.topics.lock().unwrap_or_else(PoisonError::into_inner);
        topics.entry(topic.to_owned()).or_insert_with(|| broadcast::channel(CHANNEL_EVENTS).0).clone()
    }

    fn follow(&self, topics: &str) -> SelectAll<impl Stream<Item = Utf8Bytes> + Unpin + use<>> {
        stream::select_all(topics.split(',').map(|topic| Box::pin(received(self.sender(topic).subscribe()))))
    }
}

fn received(receiver: Receiver<Utf8Bytes>) -> impl Stream<Item = Utf8Bytes> {
    stream::unfold(receiver, |mut receiver| async {
        // A receiver that is too far behind ends here; the load program counts what it misses.
        let message = receiver.recv().await.ok()?;
        Some((message, receiver))
    })
}

async fn websocket(
    State(app): State<App>,
    Query(follow): Query<Follow>,
    upgrade: WebSocketUpgrade,
) -> Response {
    let upgrade = match app.read_buffer_size {
        Some(size) => upgrade.read_buffer_size(size),
        None => upgrade,
    };
    let messages = app.follow(&follow.topics);
    upgrade.on_upgrade(move |socket| serve(socket, messages))
}

async fn serve(mut socket: WebSocket, mut messages: SelectAll<impl Stream<Item = Utf8Bytes> + Unpin>) {
    loop {
        tokio::select! {
            message = messages.next() => {
                let Some(message) = message else { return };
                if socket.send(Message::Text(message)).await.is_err() {
                    return;
                }
            }
            // Pings are answered by the library while it is read from.
            heard = socket.recv() => if !matches!(heard, Some(Ok(_))) { return },
        }
    }
}

async fn events(State(app): State<App>, Query(follow): Query<Follow>) -> impl IntoResponse {
    let messages = app.follow(&follow.topics);
    Sse::new(messages.map(|message| Ok::<_, Infallible>(Event::default().data(message.as_str()))))
}

async fn publish(State(app): State<App>, Query(to): Query<To>, body: String) -> StatusCode {
    // Fails only when nobody follows.
    let _ = app.sender(&to.topic).send(body.into());
    StatusCode::ACCEPTED
}
