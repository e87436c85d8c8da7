//! `portico new mcp-server NAME`: a crate that compiles, with tools, tests, a route and the settings that Portico needs for it.
//!
//! Inside a checkout of Portico it depends on the crates there by path, so that it builds without a network; elsewhere on the repository
//! of this version. The files stand in `portico/template/`, with the names that change in double braces.

use std::{
    fs,
    path::{Path, PathBuf},
};

use auth_server::config::ServiceName;

use crate::{files, screen};

/// The files, by the name they get.
const FILES: [(&str, &str); 10] = [
    ("Cargo.toml", include_str!("../../template/Cargo.toml.tmpl")),
    ("README.md", include_str!("../../template/README.md.tmpl")),
    ("portico.toml", include_str!("../../template/portico.toml.tmpl")),
    ("traefik.yaml", include_str!("../../template/traefik.yaml.tmpl")),
    ("src/lib.rs", include_str!("../../template/src/lib.rs.tmpl")),
    ("src/main.rs", include_str!("../../template/src/main.rs.tmpl")),
    ("src/mcp.rs", include_str!("../../template/src/mcp.rs.tmpl")),
    ("src/server.rs", include_str!("../../template/src/server.rs.tmpl")),
    ("src/tools.rs", include_str!("../../template/src/tools.rs.tmpl")),
    ("tests/server.rs", include_str!("../../template/tests/server.rs.tmpl")),
];
/// The crates of ours that it uses, and where they stand in a checkout.
const CRATES: [&str; 2] = ["bearer-guard", "oauth-types"];

/// What to make.
#[derive(clap::Subcommand)]
pub(crate) enum Command {
    /// A protected MCP server in Rust, in a folder of its name.
    McpServer {
        /// Its name: lower-case letters, digits and hyphens; also the first segment of its path.
        name: String,
        /// Where the folder is made.
        #[arg(long, value_name = "DIR", default_value = ".")]
        r#in: PathBuf,
        /// The checkout of Portico to depend on by path [default: the one we stand in, if any]
        #[arg(long, value_name = "DIR")]
        checkout: Option<PathBuf>,
    },
}

/// Runs it.
pub(crate) fn run(command: Command) -> Result<(), String> {
    let Command::McpServer { name, r#in, checkout } = command;
    let name = ServiceName::parse(&name)?;
    if !name.as_str().starts_with(|first: char| first.is_ascii_lowercase()) {
        return Err(format!("the name `{}` must begin with a letter: it becomes the name of a crate", name.as_str()));
    }
    let folder = r#in.join(name.as_str());
    if folder.exists() {
        return Err(format!("{} is there already", folder.display()));
    }
    let checkout = match checkout {
        Some(chosen) => Some(require_checkout(&chosen)?),
        None => surrounding_checkout(),
    };
    for (file, text) in FILES {
        files::write_whole(&folder.join(file), &filled(text, name.as_str(), checkout.as_deref()))?;
    }
    if let Some(checkout) = &checkout {
        // The versions that Portico itself was tested with; Cargo drops what is not needed.
        let lock = checkout.join("Cargo.lock");
        let text = fs::read_to_string(&lock).map_err(|cause| format!("could not read {}: {cause}", lock.display()))?;
        files::write_whole(&folder.join("Cargo.lock"), &text)?;
    }
    screen::say(&format!("{} is made. Next: cd {} && cargo test; README.md has the rest.", name.as_str(), folder.display()));
    Ok(())
}

fn filled(text: &str, name: &str, checkout: Option<&Path>) -> String {
    let mut text = text.replace("{{name}}", name).replace("{{crate}}", &name.replace('-', "_")).replace("{{=}}", "{{");
    for krate in CRATES {
        let source = match checkout {
            Some(checkout) => format!("{{ path = {:?} }}", checkout.join("crates").join(krate).display().to_string()),
            None => format!("{{ git = \"{}\", tag = \"v{}\" }}", env!("CARGO_PKG_REPOSITORY"), env!("CARGO_PKG_VERSION")),
        };
        text = text.replace(&format!("{{{{{krate}}}}}"), &source);
    }
    text
}

fn require_checkout(folder: &Path) -> Result<PathBuf, String> {
    let folder = folder.canonicalize().map_err(|cause| format!("{}: {cause}", folder.display()))?;
    let is_one = CRATES.iter().all(|krate| folder.join("crates").join(krate).join("Cargo.toml").is_file());
    if is_one { Ok(folder) } else { Err(format!("{} is no checkout of Portico", folder.display())) }
}

/// The checkout that the working folder is in.
fn surrounding_checkout() -> Option<PathBuf> {
    let here = std::env::current_dir().ok()?;
    here.ancestors().find_map(|folder| require_checkout(folder).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn make(folder: &Path, name: &str) -> Result<(), String> {
        run(Command::McpServer { name: name.to_owned(), r#in: folder.to_owned(), checkout: Some(root()) })
    }

    fn root() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
    }

    #[test]
    fn nothing_of_the_template_is_left_to_fill() {
        for (file, text) in FILES {
            let text = filled(text, "my-notes", None);
            let braces = if file == "traefik.yaml" {
                text.replace("{{- $", "").replace("{{ $host", "").replace("{{- if", "").replace("{{ fail", "").replace("{{ end", "")
            } else {
                text
            };
            assert!(!braces.contains("{{"), "{file}: {braces}");
            assert!(!braces.contains("my-notes::"), "{file}: a crate's name has no hyphen");
        }
    }

    #[test]
    fn what_is_there_is_not_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        make(folder.path(), "notes").unwrap();
        let manifest = folder.path().join("notes/Cargo.toml");
        fs::write(&manifest, "mine").unwrap();
        assert!(make(folder.path(), "notes").unwrap_err().contains("already"));
        assert_eq!(fs::read_to_string(&manifest).unwrap(), "mine");
    }

    #[test]
    fn a_name_is_a_path_and_a_crate() {
        let folder = tempfile::tempdir().unwrap();
        for bad in ["", "Notes", "no tes", "../x", "1st", "token", "a/b"] {
            assert!(make(folder.path(), bad).is_err(), "{bad}");
        }
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
