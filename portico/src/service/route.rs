//! The routes of one service, as Traefik reads them: a file of its own, a template like its neighbours in `traefik/dynamic/`.

use std::path::{Path, PathBuf};

use auth_server::config::{Service, ServiceName};

use crate::files;

/// Begins every file of ours; a file without it was written by hand and is left alone.
const MARK: &str = "# Written by `portico service";

/// Writes the routes.
///
/// # Errors
/// The folder is not there, or the file cannot be written.
pub(super) fn write(folder: &Path, service: &Service) -> Result<(), String> {
    require_ours(folder, &service.name)?;
    files::write_whole(&file_of(folder, &service.name), &text(service))
}

/// Removes the routes; were there any?
pub(super) fn remove(folder: &Path, name: &ServiceName) -> Result<bool, String> {
    files::remove(&file_of(folder, name))
}

pub(super) fn is_there(folder: &Path, name: &ServiceName) -> bool {
    file_of(folder, name).exists()
}

/// May we write or remove the file of this service?
///
/// # Errors
/// It was written by hand, or its folder is not there.
pub(super) fn require_ours(folder: &Path, name: &ServiceName) -> Result<(), String> {
    if !folder.is_dir() {
        return Err(format!("{} is no folder; name the one that Traefik watches with --routes", folder.display()));
    }
    let file = file_of(folder, name);
    match std::fs::read_to_string(&file) {
        Ok(text) if !text.starts_with(MARK) => Err(format!("{} was written by hand; move it away first", file.display())),
        _ => Ok(()),
    }
}

fn file_of(folder: &Path, name: &ServiceName) -> PathBuf {
    folder.join(format!("service-{}.yaml", name.as_str()))
}

/// The router takes exactly `/NAME` and what is below it, never `/NAMEx`. The order of the middlewares is the order of what happens:
/// preflights are answered, the question is asked with the path as the client wrote it, what the service must not see goes, its own
/// paths begin. `passHostHeader` is off, so that a service that guards against rebinding sees its own name.
fn text(service: &Service) -> String {
    let (name, url) = (service.name.as_str(), service.url.as_str());
    format!(
        r#"{MARK} add {name}`; `portico service remove {name}` takes it away.
{{{{- $host := env "PORTICO_HOST" }}}}
{{{{- if not $host }}}}{{{{ fail "PORTICO_HOST is not set" }}}}{{{{ end }}}}
{{{{- $tls := env "PORTICO_TLS" | default "acme" }}}}
http:
  routers:
    service-{name}:
      rule: 'Host(`{{{{ $host }}}}`) && (Path(`/{name}`) || PathPrefix(`/{name}/`))'
      priority: 100
      entryPoints: [websecure]
      middlewares: [portico-hsts, portico-service-cors, portico-service-auth, portico-service-clean, service-{name}]
      service: service-{name}
      tls: {{ {{{{- if eq $tls "acme" }}}}certResolver: acme{{{{ end -}}}} }}

  middlewares:
    service-{name}:
      stripPrefix:
        prefixes: [/{name}]

  services:
    service-{name}:
      loadBalancer:
        passHostHeader: false
        serversTransport: portico-services
        servers:
          - url: '{url}'
"#
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn service(url: &str) -> Service {
        let row = format!("name = \"weather\"\nurl = \"{url}\"\nscopes = [\"weather:read\"]").parse().unwrap();
        Service::read(&row, Some(&oauth_types::IssuerUrl::parse("https://mcp.example.com").unwrap())).unwrap()
    }

    #[test]
    fn the_router_takes_the_service_and_nothing_beside_it() {
        let text = text(&service("http://weather:3001"));
        assert!(text.contains("(Path(`/weather`) || PathPrefix(`/weather/`))"), "{text}");
        assert!(!text.contains("PathPrefix(`/weather`)"), "a bare prefix would take /weatherx too");
        assert!(text.contains("- url: 'http://weather:3001'"));
        let order = ["portico-service-cors", "portico-service-auth", "portico-service-clean", "service-weather]"];
        let places: Vec<_> = order.iter().map(|name| text.find(name).unwrap()).collect();
        assert!(places.is_sorted(), "the question is asked before the path changes and after preflights are answered");
    }
}
