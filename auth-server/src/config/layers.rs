//! The sources of settings, laid over one another: embedded defaults < file < environment < command line.

use std::{collections::BTreeMap, path::Path};

use toml::{Table, Value};

use super::{Problem, Problems, services};

/// The embedded defaults; also the list of every key there is.
pub(super) const DEFAULTS: &str = include_str!("../../default.toml");
/// Environment variables that are settings begin with this: `AUTH__LIFETIMES__CODE`.
pub(super) const ENVIRONMENT_PREFIX: &str = "AUTH__";
/// A configuration file is written by hand; one larger than this is the wrong file.
const FILE_BYTES_MAX: u64 = 1 << 20;
/// Tables that may be repeated, with the keys that they know.
pub(super) const REPEATED: [(&str, &[&str]); 4] = [
    ("resource", &["path", "name", "scopes", "default_scope"]),
    ("resource_server", &["id", "path", "secret", "secret_file"]),
    ("rule", &["idp", "subject", "mail_domain", "group", "organisation", "role", "enter", "scopes"]),
    (services::TABLE, &services::KEYS),
];
/// Tables that may be repeated and of which there is none by default. The one that stands in `default.toml` is not a row: it holds the
/// keys that a row may have, each with the default that lies beneath every row.
pub(super) const TEMPLATED: [&str; 1] = ["upstream"];

/// A setting from the command line: dotted key, value, and the flag it came from.
#[derive(Debug, Clone)]
pub struct Override {
    /// As in `server.listen`.
    pub key: &'static str,
    /// What was given.
    pub value: Value,
    /// Named in problems: `--listen`.
    pub flag: &'static str,
}

/// Settings, merged, each with where it was written.
#[derive(Debug)]
pub struct Layers {
    pub(super) templates: BTreeMap<String, Table>,
    pub(super) values: BTreeMap<String, Value>,
    pub(super) sources: BTreeMap<String, String>,
    pub(super) problems: Vec<Problem>,
}

impl Layers {
    /// Lays the sources over the defaults. Problems are kept for [`super::resolve`], which reports them with its own.
    ///
    /// # Errors
    /// The file cannot be read or is not TOML: nothing more can be said about it then.
    pub fn gather(
        file: Option<&Path>,
        environment: impl Iterator<Item = (String, String)>,
        overrides: impl IntoIterator<Item = Override>,
    ) -> Result<Self, Problems> {
        let mut layers = Self { templates: BTreeMap::new(), values: BTreeMap::new(), sources: BTreeMap::new(), problems: Vec::new() };
        let defaults: Table = DEFAULTS.parse().expect("default.toml is TOML: a test reads it");
        layers.lay(defaults, "default", true);
        if let Some(path) = file {
            layers.lay(read(path)?, &path.display().to_string(), false);
        }
        for (name, text) in environment {
            if let Some(key) = name.strip_prefix(ENVIRONMENT_PREFIX) {
                layers.set(&key.to_ascii_lowercase().replace("__", "."), value_of(&text), &name);
            }
        }
        for Override { key, value, flag } in overrides {
            layers.set(key, value, flag);
        }
        Ok(layers)
    }

    /// The text of one setting; empty where it is none.
    pub fn text(&self, key: &str) -> &str {
        self.values.get(key).and_then(Value::as_str).unwrap_or_default()
    }

    fn lay(&mut self, table: Table, source: &str, is_default: bool) {
        for (section, value) in table {
            match value {
                Value::Table(settings) => {
                    for (name, value) in settings {
                        let key = format!("{section}.{name}");
                        if is_default {
                            self.values.insert(key.clone(), value);
                            self.sources.insert(key, source.to_owned());
                        } else {
                            self.set(&key, value, source);
                        }
                    }
                }
                Value::Array(rows) if is_default && TEMPLATED.contains(&section.as_str()) => {
                    let template = rows.into_iter().find_map(|row| row.try_into().ok()).unwrap_or_default();
                    self.templates.insert(section.clone(), template);
                    self.values.insert(section.clone(), Value::Array(Vec::new()));
                    self.sources.insert(section, source.to_owned());
                }
                Value::Array(_) if is_repeated(&section) => {
                    self.values.insert(section.clone(), value);
                    self.sources.insert(section, source.to_owned());
                }
                _ => self.unknown(&section, source),
            }
        }
    }

    /// Takes one setting, if there is such a one.
    fn set(&mut self, key: &str, value: Value, source: &str) {
        let fits = if is_repeated(key) { value.is_array() } else { self.values.contains_key(key) };
        if fits {
            self.values.insert(key.to_owned(), value);
            self.sources.insert(key.to_owned(), source.to_owned());
        } else {
            self.unknown(key, source);
        }
    }

    fn unknown(&mut self, key: &str, source: &str) {
        let near = self.values.keys().find(|known| known.rsplit('.').next() == key.rsplit('.').next());
        let problem = match near {
            Some(near) => format!("there is no such setting; did you mean `{near}`?"),
            None => "there is no such setting; see docs/configuration.md".to_owned(),
        };
        self.problems.push(Problem { key: key.to_owned(), source_name: source.to_owned(), problem });
    }
}

/// May there be several tables of this name?
pub(super) fn is_repeated(section: &str) -> bool {
    TEMPLATED.contains(&section) || REPEATED.iter().any(|(name, _)| *name == section)
}

fn read(path: &Path) -> Result<Table, Problems> {
    let wrong = |problem: String| Problems(vec![Problem { key: "--config".to_owned(), source_name: path.display().to_string(), problem }]);
    let size = std::fs::metadata(path).map_err(|cause| wrong(format!("cannot be read: {cause}")))?.len();
    if size > FILE_BYTES_MAX {
        return Err(wrong(format!("is larger than {FILE_BYTES_MAX} bytes")));
    }
    let text = std::fs::read_to_string(path).map_err(|cause| wrong(format!("cannot be read: {cause}")))?;
    text.parse().map_err(|cause: toml::de::Error| wrong(format!("is not TOML: {}", cause.message())))
}

/// The environment knows only text: a list, a number or a boolean is read as TOML, everything else is the text itself.
fn value_of(text: &str) -> Value {
    let as_toml = format!("v = {text}").parse::<Table>().ok().and_then(|mut table| table.remove("v"));
    match as_toml {
        Some(value @ (Value::Integer(_) | Value::Boolean(_) | Value::Array(_) | Value::String(_))) => value,
        _ => Value::String(text.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gather(environment: &[(&str, &str)]) -> Layers {
        let pairs = environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Layers::gather(None, pairs, []).unwrap()
    }

    #[test]
    fn the_environment_lies_over_the_defaults() {
        let layers = gather(&[("AUTH__LIFETIMES__CODE", "30s"), ("PATH", "/bin")]);
        assert_eq!(layers.values["lifetimes.code"], Value::String("30s".to_owned()));
        assert_eq!(layers.sources["lifetimes.code"], "AUTH__LIFETIMES__CODE");
        assert_eq!(layers.sources["lifetimes.access_token"], "default");
        assert!(layers.problems.is_empty());
    }

    #[test]
    fn a_template_is_no_row() {
        let layers = gather(&[]);
        assert_eq!(layers.values["upstream"], Value::Array(Vec::new()));
        assert_eq!(layers.templates["upstream"]["recheck"], Value::String("5m".to_owned()));
        let given = gather(&[("AUTH__UPSTREAM", "[{ id = \"one\" }]")]);
        assert_eq!(given.values["upstream"].as_array().map(Vec::len), Some(1));
    }

    #[test]
    fn every_unknown_key_is_told_with_the_nearest_known_one() {
        let layers = gather(&[("AUTH__LIFETIME__CODE", "30s"), ("AUTH__NOTHING__AT_ALL", "1")]);
        assert_eq!(layers.problems.len(), 2);
        assert!(layers.problems[0].problem.contains("`lifetimes.code`"), "{}", layers.problems[0]);
    }
}
