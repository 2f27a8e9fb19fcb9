//! What the document says of one endpoint: one chain of words beside its route.

use std::collections::{BTreeMap, BTreeSet};

use utoipa::openapi::content::ContentBuilder;
use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::path::{HttpMethod, OperationBuilder, Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::request_body::{RequestBody, RequestBodyBuilder};
use utoipa::openapi::response::ResponseBuilder;
use utoipa::openapi::schema::{Object, ObjectBuilder, Schema, SchemaType, Type};
use utoipa::openapi::security::SecurityRequirement;
use utoipa::openapi::{Content, Ref, RefOr, Required};
use utoipa::{IntoParams, ToSchema};

use super::{API_KEY, BEARER};
use crate::auth::Role;
use crate::error::ErrorAnswer;

const JSON: &str = "application/json";

/// How an endpoint is used and how it answers.
#[derive(Debug)]
pub struct Operation {
    method: HttpMethod,
    summary: &'static str,
    role: Option<Role>,
    parameters: Vec<Parameter>,
    body: Option<RequestBody>,
    answers: BTreeMap<u16, Answer>,
    /// By status: the stable codes.
    refusals: BTreeMap<u16, Vec<&'static str>>,
    schemas: Vec<(String, RefOr<Schema>)>,
}

#[derive(Debug)]
struct Answer {
    description: &'static str,
    content: Option<(&'static str, Content)>,
}

impl Operation {
    fn new(method: HttpMethod, summary: &'static str) -> Self {
        Self {
            method,
            summary,
            role: None,
            parameters: Vec::new(),
            body: None,
            answers: BTreeMap::new(),
            refusals: BTreeMap::new(),
            schemas: Vec::new(),
        }
    }

    /// A `GET`, and what it is for in one line.
    pub fn get(summary: &'static str) -> Self {
        Self::new(HttpMethod::Get, summary)
    }

    /// A `POST`.
    pub fn post(summary: &'static str) -> Self {
        Self::new(HttpMethod::Post, summary)
    }

    /// A `PUT`.
    pub fn put(summary: &'static str) -> Self {
        Self::new(HttpMethod::Put, summary)
    }

    /// A `DELETE`.
    pub fn delete(summary: &'static str) -> Self {
        Self::new(HttpMethod::Delete, summary)
    }

    /// Who may, where keys are asked for.
    #[must_use]
    pub fn needs(mut self, role: Role) -> Self {
        self.role = Some(role);
        self.refuses(401, &["missing_key", "wrong_key", "token_expired"]).refuses(403, &["missing_role"])
    }

    /// The part of the path that is named so.
    #[must_use]
    pub fn path(mut self, name: &str, description: &str) -> Self {
        self.parameters.push(parameter(name, description, ParameterIn::Path, Required::True));
        self
    }

    /// A header that a client may send.
    #[must_use]
    pub fn header(mut self, name: &str, description: &str) -> Self {
        self.parameters.push(parameter(name, description, ParameterIn::Header, Required::False));
        self
    }

    /// What the query string may have. A name that another type has told of is not told twice.
    #[must_use]
    pub fn query<T: IntoParams>(mut self) -> Self {
        let mut parameters = T::into_params(|| Some(ParameterIn::Query));
        parameters.retain(|one| self.parameters.iter().all(|known| known.name != one.name));
        self.parameters.extend(parameters);
        self.refuses(400, &["invalid_query"])
    }

    /// A JSON body.
    #[must_use]
    pub fn takes<T: ToSchema>(mut self) -> Self {
        let content = self.content_of::<T>();
        self.body =
            Some(RequestBodyBuilder::new().content(JSON, content).required(Some(Required::True)).build());
        self.refuses(400, &["malformed_json"])
            .refuses(413, &["body_too_large"])
            .refuses(415, &["unsupported_media_type"])
            .refuses(422, &["invalid_body"])
    }

    /// A body of any of these types, read as text.
    #[must_use]
    pub fn takes_text(mut self, media_types: &[&str], description: &str) -> Self {
        let body = RequestBodyBuilder::new().description(Some(description)).required(Some(Required::True));
        let body =
            media_types.iter().fold(body, |body, media_type| body.content(*media_type, content(text())));
        self.body = Some(body.build());
        self
    }

    /// Answers with this as JSON.
    #[must_use]
    pub fn gives<T: ToSchema>(mut self, status: u16, description: &'static str) -> Self {
        let content = self.content_of::<T>();
        self.answers.insert(status, Answer { description, content: Some((JSON, content)) });
        self
    }

    /// Answers with a JSON object that is described elsewhere.
    #[must_use]
    pub fn gives_object(mut self, status: u16, description: &'static str) -> Self {
        let object = ObjectBuilder::new().schema_type(SchemaType::Type(Type::Object)).build();
        self.answers.insert(status, Answer { description, content: Some((JSON, content(object))) });
        self
    }

    /// Answers with text of a type; for a stream, what flows in it.
    #[must_use]
    pub fn gives_text(mut self, status: u16, media_type: &'static str, description: &'static str) -> Self {
        self.answers.insert(status, Answer { description, content: Some((media_type, content(text()))) });
        self
    }

    /// Answers without a body: 204, or 101 for what goes on in another protocol.
    #[must_use]
    pub fn gives_nothing(mut self, status: u16, description: &'static str) -> Self {
        self.answers.insert(status, Answer { description, content: None });
        self
    }

    /// The stable codes of refusals with this status.
    #[must_use]
    pub fn refuses(mut self, status: u16, codes: &[&'static str]) -> Self {
        let known = self.refusals.entry(status).or_default();
        known.extend(codes);
        let mut seen = BTreeSet::new();
        known.retain(|code| seen.insert(*code));
        self
    }

    fn content_of<T: ToSchema>(&mut self) -> Content {
        self.schemas.push((T::name().into_owned(), T::schema()));
        T::schemas(&mut self.schemas);
        content(Ref::from_schema_name(T::name()))
    }

    /// For the document: the method, what is said of it, and the schemas that it names.
    pub(super) fn into_parts(
        mut self,
        path: &str,
    ) -> (HttpMethod, utoipa::openapi::path::Operation, Vec<(String, RefOr<Schema>)>) {
        let error = self.content_of::<ErrorAnswer>();
        let mut operation = OperationBuilder::new()
            .operation_id(Some(operation_id(&self.method, path)))
            .summary(Some(self.summary))
            .parameters(Some(self.parameters))
            .request_body(self.body);
        if let Some(role) = self.role {
            operation = operation
                .description(Some(format!("Needs the role `{}`, where keys are asked for.", role.name())))
                .securities(Some([BEARER, API_KEY].map(|name| SecurityRequirement::new(name, [""; 0]))));
        }
        for (status, Answer { description, content }) in self.answers {
            let response = ResponseBuilder::new().description(description);
            let response = match content {
                Some((media_type, content)) => response.content(media_type, content),
                None => response,
            };
            operation = operation.response(status.to_string(), response.build());
        }
        for (status, codes) in self.refusals {
            let codes: Vec<_> = codes.iter().map(|code| format!("`{code}`")).collect();
            let mut response =
                ResponseBuilder::new().description(codes.join(", ")).content(JSON, error.clone());
            if status == 503 {
                let seconds = ObjectBuilder::new().schema_type(Type::Integer).build();
                let header = HeaderBuilder::new().schema(Some(seconds)).description(Some("Seconds to wait"));
                response = response.header("Retry-After", header.build());
            }
            operation = operation.response(status.to_string(), response.build());
        }
        let other = ResponseBuilder::new().description("Any other refusal").content(JSON, error);
        (self.method, operation.response("default", other.build()).build(), self.schemas)
    }
}

fn content(schema: impl Into<RefOr<Schema>>) -> Content {
    ContentBuilder::new().schema(Some(schema)).build()
}

fn text() -> Object {
    ObjectBuilder::new().schema_type(SchemaType::Type(Type::String)).build()
}

fn parameter(name: &str, description: &str, place: ParameterIn, required: Required) -> Parameter {
    ParameterBuilder::new()
        .name(name)
        .description(Some(description))
        .parameter_in(place)
        .required(required)
        .schema(Some(text()))
        .build()
}

/// A name for programs that are generated from the document: `get_api_facts_id`. A slash at the end counts, for
/// `/socket.io` and `/socket.io/` are two paths.
fn operation_id(method: &HttpMethod, path: &str) -> String {
    let words = path.split(|letter: char| !letter.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    let method = format!("{method:?}").to_ascii_lowercase();
    let end = path.ends_with('/').then_some("");
    [method.as_str()].into_iter().chain(words).chain(end).collect::<Vec<_>>().join("_")
}
