//! The manual of settings and their JSON schema, made from `default.toml`: one setting, one place.

use std::fmt::Write as _;

use serde_json::{Map, json};
use toml::{Table, Value};

use super::layers::{DEFAULTS, ENVIRONMENT_PREFIX, is_repeated};

/// `docs/configuration.md`.
pub fn manual() -> String {
    let mut out = String::from(
        "# Configuration\n\n<!-- Generated from auth-server/default.toml: `cargo run -- config manual > docs/configuration.md`. A test holds it fresh. -->\n\n",
    );
    let mut comment: Vec<&str> = Vec::new();
    let mut section = String::new();
    for line in DEFAULTS.lines() {
        if let Some(text) = line.strip_prefix("# ") {
            comment.push(text);
        } else if line.starts_with('[') {
            section = line.trim_matches(['[', ']']).to_owned();
            let _ = writeln!(out, "## `{line}`\n");
            flush(&mut out, &mut comment);
        } else if let Some((name, value)) = line.split_once(" = ") {
            let variable = format!("{ENVIRONMENT_PREFIX}{}__{}", section.to_uppercase(), name.to_uppercase());
            let _ = writeln!(out, "### `{section}.{name}`\n");
            flush(&mut out, &mut comment);
            let in_environment = if is_repeated(&section) { String::new() } else { format!(" In the environment: `{variable}`.") };
            let _ = writeln!(out, "Default: `{value}`.{in_environment}\n");
        } else if section.is_empty() {
            flush(&mut out, &mut comment);
        }
    }
    format!("{}\n", out.trim_end())
}

fn flush(out: &mut String, comment: &mut Vec<&str>) {
    if !comment.is_empty() {
        let _ = writeln!(out, "{}\n", comment.join("\n"));
        comment.clear();
    }
}

/// `docs/config.schema.json`: what a configuration file may hold.
pub fn schema() -> String {
    let defaults: Table = DEFAULTS.parse().expect("default.toml is TOML: a test reads it");
    let sections: Map<String, serde_json::Value> = defaults.iter().map(|(name, value)| (name.clone(), schema_of(value))).collect();
    let document = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Configuration of the authorization server",
        "type": "object",
        "additionalProperties": false,
        "properties": sections,
    });
    format!("{document:#}\n")
}

fn schema_of(value: &Value) -> serde_json::Value {
    match value {
        Value::String(text) => json!({ "type": "string", "default": text }),
        Value::Integer(number) => json!({ "type": "integer", "default": number }),
        Value::Boolean(truth) => json!({ "type": "boolean", "default": truth }),
        Value::Float(number) => json!({ "type": "number", "default": number }),
        Value::Datetime(_) => json!({ "type": "string" }),
        Value::Array(items) if items.iter().all(Value::is_table) && !items.is_empty() => {
            json!({ "type": "array", "items": schema_of(&items[0]) })
        }
        Value::Array(items) => {
            json!({ "type": "array", "items": { "type": "string" }, "default": items.iter().filter_map(Value::as_str).collect::<Vec<_>>() })
        }
        Value::Table(table) => {
            let properties: Map<String, serde_json::Value> = table.iter().map(|(name, value)| (name.clone(), schema_of(value))).collect();
            json!({ "type": "object", "additionalProperties": false, "properties": properties })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_setting_has_its_sentence() {
        let mut said = false;
        for line in DEFAULTS.lines() {
            let is_setting = line.contains(" = ") && !line.starts_with('#');
            // The keys of [[resource]] explain one another.
            if is_setting && !["path", "name", "scopes", "default_scope"].iter().any(|name| line.starts_with(name)) {
                assert!(said, "no sentence above `{line}`");
            }
            said = line.starts_with("# ");
        }
    }

    /// `cargo run -- config manual > docs/configuration.md`, and the same with `--schema` for the schema.
    #[test]
    fn the_manual_in_docs_is_fresh() {
        assert!(include_str!("../../../docs/configuration.md") == manual(), "docs/configuration.md is stale");
        assert!(include_str!("../../../docs/config.schema.json") == schema(), "docs/config.schema.json is stale");
    }

    #[test]
    fn the_schema_knows_the_settings() {
        let schema: serde_json::Value = serde_json::from_str(&schema()).unwrap();
        assert_eq!(schema["properties"]["lifetimes"]["properties"]["code"]["default"], "60s");
    }
}
