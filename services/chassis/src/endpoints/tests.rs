//! The document of a few endpoints, as a client reads it.

use axum::body::Body;
use axum::http::Request;
use axum::routing::{get, post};
use http_body_util::BodyExt;
use serde::Deserialize;
use serde_json::{Value, json};
use tower::ServiceExt;

use super::*;
use crate::auth::Role;
use crate::{Auth, Health, Metrics};

#[derive(Deserialize, utoipa::ToSchema, utoipa::IntoParams)]
#[allow(dead_code, reason = "only described")]
struct Thing {
    /// What it is called.
    name: String,
    size: Option<u64>,
}

async fn document(endpoints: Endpoints) -> Value {
    let origins = crate::origin::AllowedOrigins::default();
    let (health, metrics) = (Health::new("things"), Metrics::new());
    let router = crate::http::router(endpoints, &health, &metrics, &Auth::open(), &origins);
    let response = router.oneshot(Request::get(DOCUMENT_PATH).body(Body::empty()).unwrap()).await.unwrap();
    assert_eq!(response.headers()[header::CONTENT_TYPE], "application/json");
    serde_json::from_slice(&response.into_body().collect().await.unwrap().to_bytes()).unwrap()
}

#[tokio::test]
async fn an_endpoint_is_told_with_what_it_takes_gives_and_refuses() {
    let make = Operation::post("Makes a thing")
        .needs(Role::Write)
        .takes::<Thing>()
        .gives::<Thing>(201, "The thing")
        .refuses(409, &["duplicate"])
        .refuses(503, &["overloaded"]);
    let find = Operation::get("Finds things").query::<Thing>().gives_text(200, "text/plain", "Names");
    let remove = Operation::delete("Removes one").path("id", "Its number").gives_nothing(204, "Gone");
    let endpoints = Endpoints::new()
        .route("/api/things", post(async || "").get(async || ""), [make, find])
        .route("/api/things/{id}", axum::routing::delete(async || ""), [remove])
        .files("/{file}", get(async || ""));
    let document = document(endpoints).await;

    assert_eq!(document["openapi"], "3.1.0");
    assert_eq!(document["info"]["title"], "Bywash: things");
    let paths: Vec<_> = document["paths"].as_object().unwrap().keys().collect();
    assert_eq!(
        paths,
        ["/api/things", "/api/things/{id}", "/health", "/livez", "/metrics", "/openapi.json", "/readyz"]
    );
    let make = &document["paths"]["/api/things"]["post"];
    assert_eq!(make["operationId"], "post_api_things");
    assert_eq!(make["security"], json!([{"bearer": []}, {"api_key": []}]));
    let thing = json!({"$ref": "#/components/schemas/Thing"});
    assert_eq!(make["requestBody"]["content"]["application/json"]["schema"], thing);
    assert_eq!(make["responses"]["201"]["content"]["application/json"]["schema"], thing);
    assert_eq!(make["responses"]["409"]["description"], "`duplicate`");
    assert!(make["responses"]["503"]["headers"]["Retry-After"].is_object());
    let error = json!({"$ref": "#/components/schemas/ErrorAnswer"});
    for status in ["401", "403", "409", "422", "503", "default"] {
        assert_eq!(make["responses"][status]["content"]["application/json"]["schema"], error, "{status}");
    }
    let schemas = &document["components"]["schemas"];
    assert_eq!(schemas["Thing"]["required"], json!(["name"]));
    assert_eq!(schemas["ErrorBody"]["required"], json!(["code", "message"]));

    let find = &document["paths"]["/api/things"]["get"];
    assert_eq!(find["security"], Value::Null, "everybody may");
    let name = &find["parameters"][0];
    assert_eq!((&name["in"], &name["required"]), (&json!("query"), &json!(true)));
    assert_eq!(name["description"], "What it is called.");
    let remove = &document["paths"]["/api/things/{id}"]["delete"];
    assert_eq!(
        (&remove["parameters"][0]["in"], &remove["parameters"][0]["name"]),
        (&json!("path"), &json!("id"))
    );
}
