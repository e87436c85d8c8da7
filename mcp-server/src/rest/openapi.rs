//! The description of the plain HTTP API: OpenAPI 3.1, made from the same schemas that the tools list shows.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use crate::tools::Kind;

/// The document, written once.
#[derive(Clone)]
pub(crate) struct OpenApi(Arc<str>);

impl OpenApi {
    pub(crate) fn new(origin: &str) -> Self {
        Self(describe(origin).to_string().into())
    }

    pub(crate) fn text(&self) -> String {
        self.0.to_string()
    }
}

fn describe(origin: &str) -> Value {
    let mut paths = Map::new();
    paths.insert("/api/v1/tools".into(), json!({ "get": list_operation() }));
    for kind in Kind::ALL {
        paths.insert(format!("/api/v1/tools/{}", kind.name()), json!({ "post": call_operation(kind) }));
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Portico MCP server: tools over plain HTTP",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "The tools of the MCP server for people without an MCP client: same tokens, same scopes.",
        },
        "servers": [{ "url": origin }],
        "paths": paths,
        "components": { "securitySchemes": security(origin), "schemas": { "Problem": problem() } },
    })
}

fn security(origin: &str) -> Value {
    json!({ "portico": {
        "type": "openIdConnect",
        "openIdConnectUrl": format!("{origin}/.well-known/openid-configuration"),
        "description": "A bearer token of this server's issuer whose audience is the MCP endpoint.",
    } })
}

fn list_operation() -> Value {
    json!({
        "operationId": "listTools",
        "summary": "The tools, their schemas and the scopes they need",
        "security": [{ "portico": [] }],
        "responses": { "200": { "description": "The tools", "content": { "application/json": { "schema": { "type": "object" } } } }, "default": refused() },
    })
}

fn call_operation(kind: Kind) -> Value {
    let tool = kind.tool();
    json!({
        "operationId": kind.name(),
        "summary": tool.title,
        "description": tool.description,
        "security": [{ "portico": [kind.scope()] }],
        "requestBody": { "required": true, "content": { "application/json": { "schema": tool.input_schema } } },
        "responses": {
            "200": { "description": "The tool's output", "content": { "application/json": { "schema": tool.output_schema } } },
            "default": refused(),
        },
    })
}

fn refused() -> Value {
    json!({ "description": "Why not (RFC 9457)", "content": { "application/problem+json": { "schema": { "$ref": "#/components/schemas/Problem" } } } })
}

fn problem() -> Value {
    let text = json!({ "type": "string" });
    json!({
        "type": "object",
        "properties": { "type": text, "title": text, "status": { "type": "integer" }, "code": text, "detail": text, "request_id": text },
        "required": ["type", "title", "status"],
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tools;

    #[test]
    fn the_description_is_what_it_was() {
        insta::assert_json_snapshot!(describe("https://mcp.example"), { ".info.version" => "[version]" });
    }

    #[test]
    fn every_tool_is_described_with_its_scope() {
        let described = describe("https://mcp.example");
        for kind in Kind::ALL {
            let operation = &described["paths"][format!("/api/v1/tools/{}", kind.name())]["post"];
            assert_eq!(operation["security"][0]["portico"][0], kind.scope());
            assert!(tools::scopes_supported().contains(kind.scope()));
        }
    }
}
