//! What is in force, for people: every setting with its value and where it was written; secrets masked.

use std::fmt::Write as _;

use toml::Value;

use super::{Layers, layers::is_repeated};

/// One line a setting: `lifetimes.code = "60s"  # default`.
pub fn show(layers: &Layers) -> String {
    let mut out = String::new();
    for (key, value) in &layers.values {
        let source = layers.sources.get(key).map_or("", String::as_str);
        if is_repeated(key) {
            for row in value.as_array().into_iter().flatten().filter_map(Value::as_table) {
                let fields: Vec<_> = row.iter().map(|(name, value)| format!("{name} = {}", masked(name, value))).collect();
                let _ = writeln!(out, "[[{key}]] {}  # {source}", fields.join(", "));
            }
        } else {
            let _ = writeln!(out, "{key} = {}  # {source}", masked(key, value));
        }
    }
    out
}

/// A URL of a database may carry a password; a secret is a secret.
fn masked(key: &str, value: &Value) -> String {
    let is_secret = key == "secret"
        || key == "client_secret"
        || (key == "keys.sealing_keys" && value.as_str() != Some(""))
        || (key == "database.url" && value.as_str().is_some_and(|text| text.contains('@')));
    if is_secret { "\"…\"".to_owned() } else { value.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_in_the_database_url_is_not_shown() {
        let pairs = [("AUTH__DATABASE__URL".to_owned(), "postgres://portico:hush@db/portico".to_owned())];
        let shown = show(&Layers::gather(None, pairs.into_iter(), []).unwrap());
        assert!(shown.contains("database.url"));
        assert!(!shown.contains("hush"), "{shown}");
    }

    #[test]
    fn sealing_keys_are_not_shown() {
        let pairs = [("AUTH__KEYS__SEALING_KEYS".to_owned(), "1:hush".to_owned())];
        let shown = show(&Layers::gather(None, pairs.into_iter(), []).unwrap());
        assert!(shown.contains("keys.sealing_keys"));
        assert!(!shown.contains("hush"), "{shown}");
    }

    #[test]
    fn the_secret_of_an_upstream_is_not_shown() {
        let pairs = [("AUTH__UPSTREAM".to_owned(), r#"[{ id = "one", client_secret = "hush" }]"#.to_owned())];
        let shown = show(&Layers::gather(None, pairs.into_iter(), []).unwrap());
        assert!(shown.contains("[[upstream]] ") && shown.contains("id = \"one\""), "{shown}");
        assert!(!shown.contains("hush"), "{shown}");
    }

    #[test]
    fn each_setting_says_where_it_was_written() {
        let shown = show(&Layers::gather(None, std::iter::empty(), []).unwrap());
        assert!(shown.contains("lifetimes.code = \"60s\"  # default"), "{shown}");
    }
}
