//! The protocols that clients speak. Each file or folder in `protocols/` is one: a [`Codec`](crate::codec::Codec) and
//! `pub fn routes() -> Endpoints<Api>`, the endpoints where it is reached. Nothing else in the gateway knows them.

use crate::api::Api;

include!(concat!(env!("OUT_DIR"), "/protocols.rs"));
