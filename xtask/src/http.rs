//! Just enough HTTP to talk to our own services on loopback: HTTP/1.0, one request a connection.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// A request to a local service.
pub struct Request<'a> {
    /// `GET` or `POST`.
    pub method: &'a str,
    /// Path and query.
    pub path: &'a str,
    /// Sent as `Authorization: Bearer`, where the services ask for a key.
    pub api_key: Option<&'a str>,
    /// Media type and bytes.
    pub body: Option<(&'a str, &'a [u8])>,
}

/// What came back.
#[derive(Debug, PartialEq, Eq)]
pub struct Response {
    /// Status code.
    pub status: u16,
    /// Body as text.
    pub body: String,
}

impl<'a> Request<'a> {
    /// A plain GET.
    pub fn get(path: &'a str) -> Self {
        Self { method: "GET", path, api_key: None, body: None }
    }

    /// Sends the request and reads the whole answer; no step of it may take longer than `timeout`.
    pub fn send(&self, address: SocketAddr, timeout: Duration) -> io::Result<Response> {
        let mut stream = TcpStream::connect_timeout(&address, timeout)?;
        stream.set_read_timeout(Some(timeout))?;
        stream.set_write_timeout(Some(timeout))?;
        // HTTP/1.0 keeps the answer free of chunks, and its end is the end of the connection.
        let mut head = format!("{} {} HTTP/1.0\r\nHost: {address}\r\n", self.method, self.path);
        if let Some(key) = self.api_key {
            head.push_str(&format!("Authorization: Bearer {key}\r\n"));
        }
        if let Some((media_type, bytes)) = self.body {
            head.push_str(&format!("Content-Type: {media_type}\r\nContent-Length: {}\r\n", bytes.len()));
        }
        head.push_str("\r\n");
        stream.write_all(head.as_bytes())?;
        // A server that refuses a body closes early; its answer says why, the failed write does not.
        let sent = self.body.map_or(Ok(()), |(_, bytes)| stream.write_all(bytes));
        let mut answer = Vec::new();
        let received = stream.read_to_end(&mut answer);
        match parse(&answer) {
            Some(response) => Ok(response),
            None => Err(sent
                .and(received.map(|_| ()))
                .err()
                .unwrap_or_else(|| io::Error::other("no HTTP answer"))),
        }
    }
}

fn parse(answer: &[u8]) -> Option<Response> {
    let text = String::from_utf8_lossy(answer);
    let (head, body) = text.split_once("\r\n\r\n")?;
    let status = head.strip_prefix("HTTP/1.")?.split(' ').nth(1)?.parse().ok()?;
    Some(Response { status, body: body.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;
    use std::thread;

    #[test]
    fn a_request_carries_its_body_and_the_answer_its_status() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
        let address = listener.local_addr().expect("it is bound");
        let server = thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("a client comes");
            let mut seen = Vec::new();
            let mut buffer = [0; 512];
            while !seen.ends_with(b"facts") {
                let count = stream.read(&mut buffer).expect("the client writes");
                seen.extend_from_slice(&buffer[..count]);
            }
            stream.write_all(b"HTTP/1.0 422 Unprocessable\r\na: b\r\n\r\n{}").expect("the client reads");
            String::from_utf8(seen).expect("text")
        });
        let request =
            Request { method: "POST", path: "/x", api_key: Some("k"), body: Some(("text/plain", b"facts")) };
        let response = request.send(address, Duration::from_secs(5)).expect("the server answers");
        assert_eq!(response, Response { status: 422, body: "{}".into() });
        let seen = server.join().expect("the server ends");
        assert!(
            seen.contains("Authorization: Bearer k\r\n") && seen.contains("Content-Length: 5\r\n"),
            "{seen}"
        );
    }

    #[test]
    fn what_is_not_http_is_no_answer() {
        assert_eq!(parse(b"INFO {}\r\n\r\n"), None);
        assert_eq!(parse(b""), None);
    }
}
