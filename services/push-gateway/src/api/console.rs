//! The console's built files, read once at start and served from memory.

use std::collections::HashMap;
use std::path::Path;

use axum::extract::{Path as UrlPath, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use chassis::ApiError;

use super::Api;

/// Largest folder of built files that is read, bytes: the console is far below.
const SIZE_MAX: u64 = 16 * 1024 * 1024;

/// What the page may do: its own scripts and styles, and connections to wherever the services are.
const CONTENT_SECURITY_POLICY: &str = "default-src 'self'; connect-src 'self' http: https: ws: wss:; \
     img-src 'self' data:; object-src 'none'; base-uri 'none'; frame-ancestors 'none'";

/// Path relative to the folder -> content.
#[derive(Debug, Default)]
pub struct Console {
    files: HashMap<String, Bytes>,
}

impl Console {
    /// Reads the built files; a folder that is not there gives an empty console, which says so when asked.
    pub fn load(folder: &Path) -> Self {
        let mut console = Self::default();
        let mut left = SIZE_MAX;
        if let Err(error) = console.read(folder, "", &mut left) {
            tracing::warn!(folder = %folder.display(), %error, "the console is not there; `/` will say so");
        }
        console
    }

    fn read(&mut self, folder: &Path, prefix: &str, left: &mut u64) -> std::io::Result<()> {
        for entry in std::fs::read_dir(folder)? {
            let entry = entry?;
            let Ok(name) = entry.file_name().into_string() else { continue };
            let path = format!("{prefix}{name}");
            let metadata = entry.metadata()?;
            if metadata.is_dir() {
                self.read(&entry.path(), &format!("{path}/"), left)?;
            } else if metadata.len() <= *left {
                *left -= metadata.len();
                self.files.insert(path, std::fs::read(entry.path())?.into());
            }
        }
        Ok(())
    }

    fn answer(&self, path: &str, cache: &'static str) -> Result<Response, ApiError> {
        let content = self.files.get(path).cloned();
        let content =
            content.ok_or_else(|| ApiError::not_found("not_found", "there is no such endpoint or file"))?;
        let headers = [
            (header::CONTENT_TYPE, content_type(path)),
            (header::CACHE_CONTROL, cache),
            (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
            (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        ];
        Ok((headers, content).into_response())
    }
}

fn content_type(path: &str) -> &'static str {
    match path.rsplit_once('.').map_or("", |(_, extension)| extension) {
        "html" => "text/html; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "ico" => "image/x-icon",
        "json" | "map" => "application/json",
        "woff2" => "font/woff2",
        _ => "application/octet-stream",
    }
}

/// The page.
pub async fn index(State(api): State<Api>) -> Result<Response, ApiError> {
    if api.console.files.is_empty() {
        let message = "the console is not built; run `npm ci && npm run build` in services/push-gateway/console, \
                       or set --console-dir; the event stream is at /api/events/stream";
        return Err(ApiError::not_found("console_not_built", message));
    }
    api.console.answer("index.html", "no-cache")
}

/// A file beside the page.
pub async fn file(State(api): State<Api>, UrlPath(file): UrlPath<String>) -> Result<Response, ApiError> {
    api.console.answer(&file, "no-cache")
}

/// A file whose name changes with its content.
pub async fn asset(State(api): State<Api>, UrlPath(path): UrlPath<String>) -> Result<Response, ApiError> {
    api.console.answer(&format!("assets/{path}"), "public, max-age=31536000, immutable")
}
