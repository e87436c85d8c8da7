//! Are the walls still standing? Reads the source of `auth-server` and says, in a sentence, which wall a file breaks.
//!
//! docs/architecture.md §3: programs → endpoints → steps → adapters → vocabulary. A layer uses only layers below it, no
//! endpoint imports another, and each outside crate is named behind one wall. Tests beside the code are not judged.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Where a module of `auth-server/src` belongs. A new module must be placed here, in the layer that fits it.
const LAYERS: [(Layer, &[&str]); 4] = [
    (Layer::Program, &["main", "lib", "command", "app", "routes", "background"]),
    (
        Layer::Endpoint,
        &[
            "discovery",
            "register",
            "authorize",
            "token",
            "introspect",
            "revoke",
            "verify",
            "ended",
            "userinfo",
            "backchannel_logout",
            "logout",
            "health",
            "front_page",
            "admin",
        ],
    ),
    (
        Layer::Step,
        &[
            "client",
            "code",
            "access_token",
            "referee",
            "policy",
            "audit",
            "pages",
            "http",
            "accounts",
            "browser",
            "openid",
            "upstream_session",
        ],
    ),
    (Layer::Adapter, &["store", "ephemeral", "upstream", "keys", "i18n", "clock", "secret", "telemetry", "config"]),
];

/// Outside crates and the only places that may name them; a trailing slash means the whole folder.
const WALLS: [(&str, &[&str], &str); 10] = [
    ("sqlx", &["store/", "ephemeral/sql.rs"], "SQL is spoken in one place"),
    ("rusqlite", &["store/sqlite.rs"], "only the writer talks to SQLite without a thread in between"),
    ("redis", &["ephemeral/redis.rs", "http/limits.rs"], "short-lived facts have one door"),
    ("openidconnect", &["upstream/"], "identity providers have one door"),
    ("josekit", &["keys/"], "JOSE documents are read where keys live"),
    (
        "oxide_auth",
        &["referee.rs", "authorize/request.rs", "token/authorization_code.rs", "token/refresh_token.rs"],
        "oxide-auth is the referee, at arm's length",
    ),
    ("aws_lc_rs", &["keys/", "secret.rs"], "cryptography has two homes"),
    ("argon2", &["accounts.rs"], "passwords are hashed in one place"),
    ("askama", &["pages/", "front_page.rs"], "templates are rendered in one place"),
    ("fluent_bundle", &["i18n.rs"], "sentences are looked up in one place"),
];

/// What `oauth-types` may depend on: nothing that reads a clock, opens a socket or knows a framework.
const VOCABULARY_MAY_USE: [&str; 7] = ["serde", "serde_json", "thiserror", "base64", "aws-lc-rs", "url", "bytes"];

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Layer {
    Adapter,
    Step,
    Endpoint,
    Program,
}

/// A file below `auth-server/src`, and what it says outside of comments and tests.
struct Source {
    path: String,
    text: String,
}

#[test]
fn every_module_has_its_layer() {
    let homeless: BTreeSet<_> = sources().iter().map(Source::module).filter(|module| layer_of(module).is_none()).collect();
    assert!(homeless.is_empty(), "say in tests/layers.rs in which layer these modules live: {homeless:?}");
}

#[test]
fn no_file_breaks_a_wall() {
    let broken: Vec<_> = sources().iter().flat_map(complaints).collect();
    assert!(broken.is_empty(), "\n{}\n", broken.join("\n"));
}

#[test]
fn the_vocabulary_stays_pure() {
    let manifest = fs::read_to_string(root().join("../crates/oauth-types/Cargo.toml")).expect("the vocabulary's manifest");
    let foreign: Vec<_> = dependencies(&manifest).into_iter().filter(|name| !VOCABULARY_MAY_USE.contains(&name.as_str())).collect();
    assert!(foreign.is_empty(), "oauth-types depends on {foreign:?}: it knows no I/O, clock, async or framework (architecture §3)");
}

#[test]
fn programs_meet_only_over_http() {
    for (program, strangers) in [("auth-server", ["mcp-server", "bearer-guard"]), ("mcp-server", ["auth-server", "mcp-gateway"])] {
        let manifest = fs::read_to_string(root().join("..").join(program).join("Cargo.toml")).expect("a manifest");
        let met: Vec<_> = dependencies(&manifest).into_iter().filter(|name| strangers.contains(&name.as_str())).collect();
        assert!(met.is_empty(), "{program} depends on {met:?}: programs meet only over HTTP (architecture §3)");
    }
}

/// The judge itself is judged: each rule must be able to fail.
#[test]
fn a_broken_wall_is_told_in_a_sentence() {
    let told = |path: &str, text: &str| {
        let source = Source { path: path.into(), text: without_comments_and_tests(text) };
        complaints(&source).join(" ")
    };
    assert!(told("revoke.rs", "use sqlx::query;").contains("names `sqlx`"));
    assert!(told("token/mod.rs", "use std::{fmt, env};\nfn f() { sqlx::query(\"\") }").contains("names `sqlx`"));
    assert!(told("revoke.rs", "use crate::{http::reply, token::issue};").contains("no endpoint imports another"));
    assert!(told("register/manage.rs", "use super::super::token::issue;").contains("no endpoint imports another"));
    assert!(told("store/grants.rs", "use crate::app::App;").contains("an adapter may not use `app`"));
    assert!(told("policy/mod.rs", "use crate::{App, secret};").contains("a step may not use `app`"));
    assert!(told("store/grants.rs", "fn f(request: &actix_web::HttpRequest) {}").contains("names `actix_web`"));
    assert!(told("policy/mod.rs", "use crate::token;").contains("a step may not use `token`"));
    assert!(told("policy/mod.rs", "fn now() { std::env::var(\"X\") }").contains("`std::env`"));
    assert!(told("health.rs", "fn now() { SystemTime::now() }").contains("clock"));

    assert_eq!(told("revoke.rs", "use crate::http::reply;\nuse crate::store::Store;"), "");
    assert_eq!(told("store/grants.rs", "use sqlx::Row; // crate::app::App\n/* use crate::token; */"), "");
    assert_eq!(told("revoke.rs", "fn f() { let text = \"crate::token \"; }"), "");
    assert_eq!(told("revoke.rs", "use crate::store;\n#[cfg(test)]\nmod tests {\n use crate::token;\n}"), "");
}

impl Source {
    /// The first part of the path: `token/issue.rs` and `token.rs` are both `token`.
    fn module(&self) -> String {
        let first = self.path.split('/').next().unwrap_or_default();
        first.trim_end_matches(".rs").to_owned()
    }

    /// The modules of ours that this file names, by `use` or in the middle of an expression.
    fn own_modules_named(&self) -> BTreeSet<String> {
        let depth = self.path.matches('/').count() + usize::from(!self.path.ends_with("mod.rs"));
        let up = format!("{}::", vec!["super"; depth.max(1)].join("::"));
        let mut named = BTreeSet::new();
        for path in used_paths(&self.text).into_iter().chain(paths_in(&self.text)) {
            let below = path.strip_prefix("crate::").or_else(|| (depth > 0).then(|| path.strip_prefix(&up)).flatten());
            let first = below.and_then(|rest| rest.split("::").next()).unwrap_or_default();
            // lib.rs re-exports it.
            let first = if first == "App" { "app" } else { first };
            if layer_of(first).is_some() {
                named.insert(first.to_owned());
            }
        }
        named
    }

    fn names(&self, outside: &str) -> bool {
        let start = format!("{outside}::");
        used_paths(&self.text).iter().chain(&paths_in(&self.text)).any(|path| path == outside || path.starts_with(&start))
    }
}

/// Every wall that this file breaks, one sentence each.
fn complaints(source: &Source) -> Vec<String> {
    let path = &source.path;
    let module = source.module();
    let Some(layer) = layer_of(&module) else { return Vec::new() };
    let mut found = Vec::new();
    for (outside, homes, why) in WALLS {
        let is_home = homes.iter().any(|home| path == home || (home.ends_with('/') && path.starts_with(home)));
        if !is_home && source.names(outside) {
            found.push(format!("{path} names `{outside}`, which lives only in {}: {why}", homes.join(", ")));
        }
    }
    if layer == Layer::Adapter && source.names("actix_web") {
        found.push(format!("{path} names `actix_web`: adapters know nothing of the web framework"));
    }
    for named in source.own_modules_named() {
        let Some(other) = layer_of(&named) else { continue };
        if named == module {
            continue;
        }
        match (layer, other) {
            (Layer::Endpoint, Layer::Endpoint) => {
                found.push(format!("{path} uses `{named}`: no endpoint imports another; what both need is a step"))
            }
            // `App` is the one context that endpoints share; `routes` is the one list of paths, which documents are derived from.
            (Layer::Endpoint, Layer::Program) if matches!(named.as_str(), "app" | "routes") => {}
            (Layer::Program, _) => {}
            _ if other > layer => {
                found.push(format!("{path} uses `{named}`: {} may not use `{named}`, which stands above it", layer.article()))
            }
            _ => {}
        }
    }
    let is_program = layer == Layer::Program;
    if module != "config" && !is_program && source.names("std::env") {
        found.push(format!("{path} reads `std::env`: settings come from Config"));
    }
    if module != "clock"
        && ["SystemTime::now", "std::time::SystemTime::now", "OffsetDateTime::now_utc"].iter().any(|call| source.names(call))
    {
        found.push(format!("{path} reads the time of day: time comes from the clock of the App"));
    }
    found
}

impl Layer {
    fn article(self) -> &'static str {
        match self {
            Self::Adapter => "an adapter",
            Self::Step => "a step",
            Self::Endpoint => "an endpoint",
            Self::Program => "a program",
        }
    }
}

fn layer_of(module: &str) -> Option<Layer> {
    LAYERS.iter().find(|(_, modules)| modules.contains(&module)).map(|(layer, _)| *layer)
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn sources() -> Vec<Source> {
    let base = root().join("src");
    let mut found = Vec::new();
    let mut folders = vec![base.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder of sources") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs")
                && !is_test_file(path.strip_prefix(&base).expect("below src"))
            {
                let text = without_comments_and_tests(&fs::read_to_string(&path).expect("a source"));
                let path = path.strip_prefix(&base).expect("below src").to_string_lossy().replace('\\', "/");
                found.push(Source { path, text });
            }
        }
    }
    found
}

/// Files and folders that exist only under `#[cfg(test)]`.
fn is_test_file(path: &Path) -> bool {
    let names = path.iter().filter_map(|name| name.to_str());
    names.map(|name| name.trim_end_matches(".rs")).any(|name| matches!(name, "conformance" | "tests" | "testing"))
}

/// The code of a file: comments and string contents blanked, everything from the first test module on left out.
fn without_comments_and_tests(text: &str) -> String {
    let end = ["#[cfg(test)]\nmod tests", "#[cfg(test)]\r\nmod tests"].iter().filter_map(|start| text.find(start)).min();
    let mut code = String::new();
    let mut rest = &text[..end.unwrap_or(text.len())];
    while let Some(next) = rest.find(['/', '"', '\'']) {
        code.push_str(&rest[..next]);
        rest = &rest[next..];
        let skipped = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            rest.find("*/").map_or(rest.len(), |end| end + 2)
        } else if rest.starts_with('"') {
            code.push_str("\"\"");
            end_of_string(rest)
        } else if rest.starts_with("'\"'") || rest.starts_with("'\\") {
            rest[2..].find('\'').map_or(rest.len(), |end| end + 3)
        } else {
            code.push_str(&rest[..1]);
            1
        };
        rest = &rest[skipped..];
    }
    code + rest
}

/// The length of the string literal that starts here. Raw strings with quotes inside would need more; a `use` never stands in one.
fn end_of_string(text: &str) -> usize {
    let mut is_escaped = false;
    for (index, letter) in text.char_indices().skip(1) {
        match letter {
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = true,
            '"' => return index + 1,
            _ => {}
        }
    }
    text.len()
}

/// The full paths of all `use` statements, braces expanded.
fn used_paths(code: &str) -> Vec<String> {
    let mut found = Vec::new();
    let starts = code.match_indices("use ").filter(|(index, _)| {
        let before = code[..*index].trim_end_matches(' ');
        before.is_empty() || before.ends_with(['\n', ';', '{', '}', ')', ']']) || before.ends_with("pub")
    });
    for (index, _) in starts {
        let statement = code[index + 4..].split(';').next().unwrap_or_default();
        let flat: String = statement.chars().filter(|letter| !letter.is_whitespace()).collect();
        expand(&flat, "", &mut found);
    }
    found
}

/// `a::{b, c::{d, e}}` into `a::b`, `a::c::d`, `a::c::e`.
fn expand(tree: &str, prefix: &str, found: &mut Vec<String>) {
    let Some((front, inside)) = tree.split_once('{') else {
        found.push(format!("{prefix}{}", tree.trim_start_matches("::")));
        return;
    };
    let prefix = format!("{prefix}{front}");
    let inside = inside.strip_suffix('}').unwrap_or(inside);
    let mut depth = 0;
    let mut start = 0;
    for (index, letter) in inside.char_indices().chain([(inside.len(), ',')]) {
        match letter {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                if !inside[start..index].is_empty() {
                    expand(&inside[start..index], &prefix, found);
                }
                start = index + 1;
            }
            _ => {}
        }
    }
}

/// Every `a::b::c` in the code.
fn paths_in(code: &str) -> Vec<String> {
    let is_part = |letter: char| letter.is_ascii_alphanumeric() || letter == '_' || letter == ':';
    let words = code.split(|letter| !is_part(letter));
    words.filter(|word| word.contains("::")).map(|word| word.trim_matches(':').to_owned()).collect()
}

/// The names under `[dependencies]`.
fn dependencies(manifest: &str) -> Vec<String> {
    let section = manifest.split("[dependencies]").nth(1).unwrap_or_default();
    let section = section.split("\n[").next().unwrap_or_default();
    let names = section.lines().filter_map(|line| line.split(['.', '=', ' ']).next());
    names.map(str::trim).filter(|name| !name.is_empty() && !name.starts_with('#')).map(str::to_owned).collect()
}
