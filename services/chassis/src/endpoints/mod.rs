//! The HTTP endpoints of a service, each said once: what answers, and what `/openapi.json` says of it. A route without
//! its description cannot be added, so that the document is whole. How an endpoint is described is in `operation`.

mod operation;

use std::collections::BTreeMap;

use axum::Router;
use axum::http::header;
use axum::routing::{MethodRouter, get};
use bytes::Bytes;
use utoipa::openapi::path::Paths;
use utoipa::openapi::schema::{ComponentsBuilder, Schema};
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{InfoBuilder, LicenseBuilder, OpenApi, OpenApiBuilder, RefOr};

pub use operation::Operation;

/// Where the document is.
const DOCUMENT_PATH: &str = "/openapi.json";
/// The two ways to say who asks; either is enough.
const BEARER: &str = "bearer";
const API_KEY: &str = "api_key";

/// Routes and what is said of them.
#[derive(Debug)]
pub struct Endpoints<S = ()> {
    router: Router<S>,
    described: Described,
}

/// What the document is made of.
#[derive(Debug, Clone, Default)]
struct Described {
    paths: Paths,
    /// By name; a type that several endpoints use is there once.
    schemas: BTreeMap<String, RefOr<Schema>>,
}

impl<S: Clone + Send + Sync + 'static> Endpoints<S> {
    /// None yet.
    pub fn new() -> Self {
        Self { router: Router::new(), described: Described::default() }
    }

    /// Adds what answers at `path`, with one description a method.
    #[must_use]
    pub fn route<const N: usize>(
        mut self,
        path: &str,
        methods: MethodRouter<S>,
        operations: [Operation; N],
    ) -> Self {
        self.router = self.router.route(path, methods);
        self.described.add(path, operations);
        self
    }

    /// Adds files of a page, which are no part of the API and have no description.
    #[must_use]
    pub fn files(mut self, path: &str, methods: MethodRouter<S>) -> Self {
        self.router = self.router.route(path, methods);
        self
    }

    /// Puts something around the routes so far.
    #[must_use]
    pub fn wrapped(mut self, wrap: impl FnOnce(Router<S>) -> Router<S>) -> Self {
        self.router = wrap(self.router);
        self
    }

    /// Both.
    #[must_use]
    pub fn merge(mut self, other: Self) -> Self {
        self.router = self.router.merge(other.router);
        self.described.merge(other.described);
        self
    }

    /// Gives handlers what they need.
    pub fn with_state<Outer>(self, state: S) -> Endpoints<Outer> {
        Endpoints { router: self.router.with_state(state), described: self.described }
    }
}

impl<S: Clone + Send + Sync + 'static> Default for Endpoints<S> {
    fn default() -> Self {
        Self::new()
    }
}

impl Endpoints {
    /// The routes alone.
    pub(crate) fn into_router(self) -> Router {
        self.router
    }

    /// Adds `/openapi.json`, which tells of these, of `probes` and of itself.
    pub(crate) fn with_document(self, service: &str, probes: &Self) -> Self {
        let itself = Operation::get("This document: OpenAPI 3.1 of every endpoint of this service")
            .gives_object(200, "The document");
        let mut described = Described::default();
        described.merge(self.described.clone());
        described.merge(probes.described.clone());
        described.add(DOCUMENT_PATH, [itself]);
        let document = described.document(service).to_json();
        let document = Bytes::from(document.expect("a document is plain data with string keys"));
        let answer = get(async move || ([(header::CONTENT_TYPE, "application/json")], document.clone()));
        Self { router: self.router.route(DOCUMENT_PATH, answer), described: self.described }
    }
}

impl Described {
    fn add<const N: usize>(&mut self, path: &str, operations: [Operation; N]) {
        // Axum writes `{*path}` where OpenAPI knows `{path}` only.
        let path = path.replace("{*", "{");
        for operation in operations {
            let (method, described, schemas) = operation.into_parts(&path);
            self.paths.add_path_operation(&path, vec![method], described);
            self.schemas.extend(schemas);
        }
    }

    fn merge(&mut self, other: Self) {
        self.paths.merge(other.paths);
        self.schemas.extend(other.schemas);
    }

    fn document(self, service: &str) -> OpenApi {
        let bearer = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .description(Some("An API key, or a JWT where the service is told what to check tokens against"));
        let api_key = ApiKeyValue::with_description("X-API-Key", "An API key");
        let components = ComponentsBuilder::new()
            .schemas_from_iter(self.schemas)
            .security_scheme(BEARER, SecurityScheme::Http(bearer.build()))
            .security_scheme(API_KEY, SecurityScheme::ApiKey(ApiKey::Header(api_key)));
        let info = InfoBuilder::new()
            .title(format!("Bywash: {service}"))
            .version(env!("CARGO_PKG_VERSION"))
            .description(Some(
                "Errors are JSON `{error: {code, message, details}}` with stable codes. Times are RFC 3339 in UTC. \
                 Where the service has no keys at all, nothing is asked and everybody may do everything.",
            ))
            .license(Some(LicenseBuilder::new().name(env!("CARGO_PKG_LICENSE")).build()));
        OpenApiBuilder::new()
            .info(info.build())
            .paths(self.paths)
            .components(Some(components.build()))
            .build()
    }
}

#[cfg(test)]
mod tests;
