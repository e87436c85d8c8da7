//! `portico service`: what stands behind this origin and cannot check a token itself.
//!
//! A service is two files: its entry in the registry (`[[service]]`, read by the authorization server at start) and its routes (read by
//! Traefik the moment they change). Both are written whole or not at all, say the same thing for the same words, and go away together.
//! The service itself is not touched and learns nothing of OAuth. Until the authorization server knows a service, its routes lead to a
//! refusal; when it is taken away, the routes go first.

mod route;

use std::path::{Path, PathBuf};

use auth_server::config::{Config, Service, ServiceName, read_service_file, services_folder};
use toml::{Table, Value};

use crate::{environment::Place, files, screen};

/// What to do with services.
#[derive(clap::Subcommand)]
pub(crate) enum Command {
    /// Put a service behind this origin: protected by forward-auth, at /NAME/.
    Add(Box<Addition>),
    /// List the services: name, where it listens, its resource identifier, what a token needs, whether its routes are there.
    List(Where),
    /// Take a service away: its routes first, then its entry.
    Remove {
        /// Which one.
        name: String,
        #[command(flatten)]
        r#where: Where,
    },
    /// Write the routes of every service anew, also of those that stand in the configuration file.
    Routes(Where),
}

/// Which installation, and where its proxy looks.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct Where {
    /// The folder of dynamic configuration that Traefik watches.
    #[arg(long, value_name = "DIR", env = "PORTICO_ROUTES", default_value = "traefik/dynamic")]
    routes: PathBuf,
    #[command(flatten)]
    place: Place,
}

/// A service to be.
#[derive(clap::Args, Debug)]
pub(crate) struct Addition {
    /// Its name, which is the first segment of its paths: lower-case letters, digits and hyphens.
    name: String,
    /// Where it listens, as Traefik reaches it: http://everything:3001
    url: String,
    /// A scope that clients may ask for it; repeatable. The first one is what a token needs to come in.
    #[arg(long = "scope", value_name = "SCOPE", required = true)]
    scopes: Vec<String>,
    /// What a token needs to come in, if it is not the first scope.
    #[arg(long, value_name = "SCOPES")]
    needs: Option<String>,
    /// The path that clients are given, which is the audience of their tokens [default: /NAME/mcp]
    #[arg(long, value_name = "PATH")]
    path: Option<String>,
    /// What people call it on the consent page [default: its name]
    #[arg(long, value_name = "TEXT")]
    title: Option<String>,
    /// Replace a service of this name.
    #[arg(long)]
    replace: bool,
    #[command(flatten)]
    r#where: Where,
}

/// Runs it.
pub(crate) fn run(command: Command) -> Result<(), String> {
    match command {
        Command::Add(addition) => add(&addition),
        Command::List(place) => list(&place),
        Command::Remove { name, r#where } => remove(&name, &r#where),
        Command::Routes(place) => {
            let config = place.place.resolve(Vec::new())?;
            for service in &config.services {
                route::write(&place.routes, service)?;
                screen::say(&format!("Wrote the routes of `{}`.", service.name.as_str()));
            }
            Ok(())
        }
    }
}

fn add(addition: &Addition) -> Result<(), String> {
    let place = &addition.r#where;
    let config = place.place.resolve(Vec::new())?;
    let row = addition.row();
    let service =
        Service::read(&row, Some(&config.issuer)).map_err(|problem| problem.unwrap_or_else(|| "the issuer is not usable".to_owned()))?;
    let entry = entry_of(&config, place, &service.name)?;
    let text = entry_text(&service, &row)?;
    let before = std::fs::read_to_string(&entry).ok();
    if before.as_ref().is_some_and(|before| *before != text) && !addition.replace {
        return Err(format!("`{}` is there already; `--replace` changes it", service.name.as_str()));
    }
    route::require_ours(&place.routes, &service.name)?;
    files::write_whole(&entry, &text)?;
    // The configuration judges itself: names that stand twice, paths that are taken.
    if let Err(problem) = place.place.resolve(Vec::new()).and_then(|_| route::write(&place.routes, &service)) {
        undo(&entry, before.as_deref());
        return Err(problem);
    }
    screen::print(service.resource.uri.as_str());
    screen::say(&format!("Give that URL to clients. A token needs `{}` to come in.", service.needed()));
    screen::say("Restart the authorization server so that it knows the service; until then its path answers 404.");
    Ok(())
}

/// Puts back what stood there.
fn undo(entry: &Path, before: Option<&str>) {
    // The problem that led here is what the person is told; the file is theirs to look at if even this fails.
    let _ = match before {
        Some(text) => files::write_whole(entry, text),
        None => files::remove(entry).map(|_| ()),
    };
}

fn list(place: &Where) -> Result<(), String> {
    let config = place.place.resolve(Vec::new())?;
    for service in &config.services {
        let routed = if route::is_there(&place.routes, &service.name) { "routed" } else { "no routes" };
        let (name, url, uri) = (service.name.as_str(), service.url.as_str(), &service.resource.uri);
        screen::print(&format!("{name}\t{url}\t{uri}\tneeds {}\t{routed}", service.needed()));
    }
    Ok(())
}

fn remove(name: &str, place: &Where) -> Result<(), String> {
    let name = ServiceName::parse(name)?;
    let config = place.place.resolve(Vec::new())?;
    let entry = entry_of(&config, place, &name)?;
    route::require_ours(&place.routes, &name)?;
    let had_routes = route::remove(&place.routes, &name)?;
    let had_entry = files::remove(&entry)?;
    if !had_routes && !had_entry {
        return Err(format!("there is no service `{}` here; `portico service list` knows them", name.as_str()));
    }
    screen::say(&format!("`{}` is reached by nobody any more. Restart the authorization server so that it forgets it.", name.as_str()));
    Ok(())
}

/// The file of a service's entry.
fn entry_of(config: &Config, place: &Where, name: &ServiceName) -> Result<PathBuf, String> {
    let layers = place.place.layers(Vec::new())?;
    let folder = services_folder(layers.text("server.services_dir"), &config.data_dir);
    let file = folder.join(format!("{}.toml", name.as_str()));
    if file.exists() {
        let row = read_service_file(&file)?;
        if row.get("name").and_then(Value::as_str) != Some(name.as_str()) {
            return Err(format!("{} holds another service", file.display()));
        }
    }
    Ok(file)
}

impl Addition {
    fn row(&self) -> Table {
        let text = |text: &str| Value::String(text.to_owned());
        let mut row = Table::new();
        row.insert("name".to_owned(), text(&self.name));
        row.insert("url".to_owned(), text(&self.url));
        if let Some(path) = &self.path {
            row.insert("path".to_owned(), text(path));
        }
        if let Some(title) = &self.title {
            row.insert("title".to_owned(), text(title));
        }
        row.insert("scopes".to_owned(), Value::Array(self.scopes.iter().map(|scope| text(scope)).collect()));
        if let Some(needs) = &self.needs {
            row.insert("default_scope".to_owned(), text(needs));
        }
        row
    }
}

fn entry_text(service: &Service, row: &Table) -> Result<String, String> {
    let file = Table::from_iter([("service".to_owned(), Value::Array(vec![Value::Table(row.clone())]))]);
    let body = toml::to_string(&file).map_err(|cause| format!("the service cannot be written down: {cause}"))?;
    let name = service.name.as_str();
    Ok(format!("# Written by `portico service add {name}`; `portico service remove {name}` takes it away.\n{body}"))
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    #[derive(clap::Parser)]
    struct Line {
        #[command(subcommand)]
        command: Command,
    }

    struct House(tempfile::TempDir);

    impl House {
        fn build() -> Self {
            let folder = tempfile::tempdir().unwrap();
            std::fs::create_dir(folder.path().join("routes")).unwrap();
            Self(folder)
        }

        fn says(&self, words: &[&str]) -> Result<(), String> {
            let (data, routes) = (self.path("data"), self.path("routes"));
            let place = ["--data-dir", data.to_str().unwrap(), "--routes", routes.to_str().unwrap()];
            let words = ["portico"].iter().chain(words).chain(&place);
            run(Line::try_parse_from(words).map_err(|problem| problem.to_string())?.command)
        }

        fn path(&self, name: &str) -> PathBuf {
            self.0.path().join(name)
        }

        /// Every file with its text.
        fn files(&self) -> Vec<(PathBuf, String)> {
            let mut found = Vec::new();
            let mut folders = vec![self.0.path().to_owned()];
            while let Some(folder) = folders.pop() {
                for entry in std::fs::read_dir(folder).unwrap() {
                    let path = entry.unwrap().path();
                    if path.is_dir() { folders.push(path) } else { found.push((path.clone(), std::fs::read_to_string(path).unwrap())) }
                }
            }
            found.sort();
            found
        }
    }

    const ADD: [&str; 7] = ["add", "weather", "http://weather:3001", "--scope", "weather:read", "--scope", "weather:write"];

    #[test]
    fn what_is_added_can_be_taken_away_without_a_trace() {
        let house = House::build();
        let before = house.files();
        house.says(&ADD).unwrap();
        let added = house.files();
        assert_eq!(added.len(), 2, "{added:?}");
        house.says(&ADD).unwrap();
        assert_eq!(house.files(), added, "the same words make the same files");
        house.says(&["remove", "weather"]).unwrap();
        assert_eq!(house.files(), before);
        assert!(house.says(&["remove", "weather"]).unwrap_err().contains("no service"));
    }

    #[test]
    fn a_service_is_changed_only_on_purpose() {
        let house = House::build();
        house.says(&ADD).unwrap();
        let first = house.files();
        let other = ["add", "weather", "http://elsewhere:1", "--scope", "weather:read"];
        assert!(house.says(&other).unwrap_err().contains("--replace"));
        assert_eq!(house.files(), first);
        house.says(&[&other[..], &["--replace"]].concat()).unwrap();
        assert!(house.files().iter().all(|(_, text)| text.contains("http://elsewhere:1")));
    }

    #[test]
    fn what_cannot_be_a_service_leaves_nothing_behind() {
        let house = House::build();
        for words in [
            &["add", "token", "http://t", "--scope", "a"][..],
            &["add", "Weather", "http://t", "--scope", "a"],
            &["add", "../weather", "http://t", "--scope", "a"],
            &["add", "weather", "http://t/mcp", "--scope", "a"],
            &["add", "weather", "ftp://t", "--scope", "a"],
            &["add", "weather", "http://t"],
            &["add", "weather", "http://t", "--scope", "a b\"c"],
            &["add", "weather", "http://t", "--scope", "a", "--needs", "b"],
            &["add", "weather", "http://t", "--scope", "a", "--path", "/other/mcp"],
        ] {
            assert!(house.says(words).is_err(), "{words:?}");
            assert_eq!(house.files(), [], "{words:?}");
        }
    }

    #[test]
    fn a_file_of_somebody_else_stays() {
        let house = House::build();
        let file = house.path("routes").join("service-weather.yaml");
        std::fs::write(&file, "# by hand\nhttp: {}\n").unwrap();
        let before = house.files();
        assert!(house.says(&ADD).unwrap_err().contains("by hand"));
        assert!(house.says(&["remove", "weather"]).is_err());
        assert_eq!(house.files(), before);
    }
}
