//! The proxy's question: `GET /verify`, asked by Traefik's forward-auth before each request to a service that cannot check a token.
//!
//! What is judged is the request that the proxy describes in `X-Forwarded-Method`, `-Proto`, `-Host` and `-Uri`, by the rules of a
//! resource server (RFC 6750, RFC 9068 §4, RFC 9728 §5.1). 200 lets it through and says who calls in `X-Auth-*`; everything else is sent
//! to the client as it is, so a refusal is complete: status, challenge with the metadata of *that* service, reference. Only an address
//! in `server.trusted_proxies` may ask, for anybody else could describe what it likes (docs/decisions/0120). There is no way past a
//! token: a preflight without one is refused too, the proxy answers those by itself.
//!
//! Asked before every call, so it reads nothing from the store and makes nothing that it does not send.

use std::{collections::HashMap, sync::Arc};

use actix_web::{
    HttpRequest, HttpResponse,
    http::{
        StatusCode,
        header::{self, HeaderName, HeaderValue},
    },
    web::Data,
};
use oauth_types::{AccessClaims, Bug, Challenge, Error, RequestFault, Scope, TokenFault};
use tracing::debug;

use crate::{
    App, access_token,
    config::{Config, Service},
    http::{
        extract::{bearer, is_from_trusted_proxy},
        forwarded::{self, Forwarded, Origin},
        reply,
    },
    routes,
};

const SUBJECT: HeaderName = HeaderName::from_static("x-auth-sub");
const CLIENT: HeaderName = HeaderName::from_static("x-auth-client-id");
const SCOPE: HeaderName = HeaderName::from_static("x-auth-scope");
const GRANT: HeaderName = HeaderName::from_static("x-auth-grant-id");
const TOKEN: HeaderName = HeaderName::from_static("x-auth-token-id");
const EXPIRES: HeaderName = HeaderName::from_static("x-auth-expires");
const SERVICE: HeaderName = HeaderName::from_static("x-auth-service");
/// RFC 9110 §15.5.6: a 405 names what is allowed.
const METHODS: HeaderValue = HeaderValue::from_static("GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS");

/// What stands before each service, prepared at start.
#[derive(Debug)]
pub(crate) struct Gates {
    origin: Origin,
    by_name: HashMap<Box<str>, Gate>,
}

/// The gate of one service.
#[derive(Debug)]
struct Gate {
    name: HeaderValue,
    /// The one audience that opens it.
    audience: Box<str>,
    /// The scope without which nobody comes in.
    needed: Scope,
    /// Where challenges send a client.
    metadata: String,
}

impl Gates {
    /// The gates of this configuration.
    pub(crate) fn new(config: &Config) -> Self {
        let gates = config.services.iter().map(|service| (service.name.as_str().into(), Gate::of(service, config)));
        Self { origin: Origin::of(&config.issuer), by_name: gates.collect() }
    }

    /// Before which gate does the described request stand?
    fn of(&self, asked: &Forwarded<'_>) -> Result<&Gate, Error> {
        self.origin.admit(asked)?;
        let name = asked.first_segment()?;
        self.by_name.get(name).ok_or(Error::InvalidRequest(RequestFault::ServiceUnknown))
    }
}

impl Gate {
    fn of(service: &Service, config: &Config) -> Self {
        Self {
            // A name is letters, digits and hyphens.
            name: HeaderValue::from_str(service.name.as_str()).unwrap_or(HeaderValue::from_static("-")),
            audience: service.resource.uri.as_str().into(),
            needed: service.needed().clone(),
            metadata: config.issuer.at(&routes::protected_resource_of(&service.resource.path)),
        }
    }

    /// Whose token is this, and does it open this gate?
    fn admit(&self, app: &App, request: &HttpRequest) -> Result<Arc<AccessClaims>, Error> {
        let claims = access_token::good(&app.keys, &app.store, bearer(request)?)?;
        if claims.aud != *self.audience {
            return Err(Error::InvalidToken(TokenFault::AudienceMismatch));
        }
        if !covers(&claims.scope, &self.needed) {
            return Err(Error::InsufficientScope { needed: self.needed.clone() });
        }
        Ok(claims)
    }

    /// What a refused request is told. Who showed no token is not told that anything was wrong (RFC 6750 §3.1).
    fn challenge(&self, error: &Error) -> Option<HeaderValue> {
        let challenge = Challenge::bearer(&self.metadata).scope(&self.needed);
        let challenge = match error {
            Error::InvalidToken(TokenFault::Missing) => challenge,
            Error::InvalidToken(_) | Error::InsufficientScope { .. } | Error::InvalidRequest(_) => challenge.error(error),
            _ => return None,
        };
        HeaderValue::from_str(&challenge.to_header_value()).ok()
    }
}

/// `GET /verify`
pub(crate) async fn get(app: Data<App>, request: HttpRequest) -> HttpResponse {
    if !is_from_trusted_proxy(&request) {
        return reply::refused(&request, &Error::InvalidRequest(RequestFault::NotTheProxy));
    }
    let described = forwarded::read(request.headers()).and_then(|asked| app.gates.of(&asked));
    let gate = match described {
        Ok(gate) => gate,
        Err(error) => {
            let mut response = reply::refused(&request, &error);
            if let Error::InvalidRequest(RequestFault::MethodNotAllowed) = error {
                response.headers_mut().insert(header::ALLOW, METHODS);
            }
            return response;
        }
    };
    match gate.admit(&app, &request).and_then(|claims| admitted(gate, &claims)) {
        Ok(response) => response,
        Err(error) => {
            let mut response = reply::refused(&request, &error);
            if let Some(challenge) = gate.challenge(&error) {
                response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
            }
            response
        }
    }
}

/// 200, and who calls. The service believes these headers, so the proxy strips whatever else has their form.
fn admitted(gate: &Gate, claims: &AccessClaims) -> Result<HttpResponse, Error> {
    debug!(
        event = "access.granted",
        client.id = claims.client_id,
        grant.id = claims.grant_id,
        subject.id = claims.sub,
        resource = &*gate.audience,
        "let a request through to `{}`",
        gate.audience
    );
    let mut response = HttpResponse::new(StatusCode::OK);
    let headers = response.headers_mut();
    headers.insert(SERVICE, gate.name.clone());
    headers.insert(EXPIRES, HeaderValue::from(claims.exp));
    for (name, value) in
        [(SUBJECT, &claims.sub), (CLIENT, &claims.client_id), (SCOPE, &claims.scope), (GRANT, &claims.grant_id), (TOKEN, &claims.jti)]
    {
        let value = HeaderValue::from_str(value)
            .map_err(|cause| Error::ServerError(Bug::caused("could not write who calls into a header", cause)))?;
        headers.insert(name, value);
    }
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

/// Does the scope of a token cover what is needed? Without making a [`Scope`] of it: the token was read before, the words are few.
fn covers(held: &str, needed: &Scope) -> bool {
    held == needed.as_str() || needed.iter().all(|word| held.split(' ').any(|own| own == word))
}

#[cfg(test)]
mod tests {
    use actix_web::test::{TestRequest, call_service, init_service, read_body};
    use oauth_types::{AccessClaimsRef, Timestamp};

    use super::*;
    use crate::{
        clock::FixedClock,
        config::{Layers, Override, resolve},
    };

    const NOW: Timestamp = Timestamp(1_800_000_000);
    const WEATHER: &str = "https://portico.test/weather/mcp";

    #[test]
    fn a_scope_is_covered_word_by_word() {
        let needed = |text: &str| Scope::parse(text).unwrap();
        assert!(covers("a b c", &needed("a c")) && covers("a", &needed("a")));
        for held in ["", "ab", "a bc", "b"] {
            assert!(!covers(held, &needed("a c")), "{held}");
        }
    }

    async fn open(folder: &std::path::Path) -> App {
        let file = folder.join("portico.toml");
        let service = "[[service]]\nname = \"weather\"\nurl = \"http://w\"\nscopes = [\"weather:read\"]\n";
        let server = "[server]\npublic_url = \"https://portico.test\"\ntrusted_proxies = [\"10.0.0.1\"]\n";
        std::fs::write(&file, format!("{server}{service}")).unwrap();
        let data_dir = Override { key: "server.data_dir", value: folder.display().to_string().into(), flag: "--test" };
        let config = resolve(Layers::gather(Some(&file), std::iter::empty(), [data_dir]).unwrap()).unwrap();
        App::open(config, Arc::new(FixedClock::at(NOW))).await.unwrap()
    }

    fn signed(app: &App, client_id: &str) -> String {
        let (iss, jti, grant_id, scope) = ("https://portico.test", "t1", "g1", "weather:read");
        let (exp, iat, sid, auth_time) = (NOW.0 + 60, NOW.0, None, None);
        let claims = AccessClaimsRef { iss, sub: "ada", aud: WEATHER, client_id, exp, iat, jti, scope, grant_id, sid, auth_time };
        app.keys.sign(&claims).unwrap().expose().to_owned()
    }

    async fn asked(app: &App, peer: &str, token: &str) -> (u16, Option<String>, String) {
        let server = init_service(actix_web::App::new().configure(|services| routes::configure(app.clone())(services))).await;
        let request = TestRequest::get()
            .uri("/verify")
            .peer_addr(peer.parse().unwrap())
            .insert_header(("x-forwarded-method", "POST"))
            .insert_header(("x-forwarded-proto", "https"))
            .insert_header(("x-forwarded-host", "portico.test"))
            .insert_header(("x-forwarded-uri", "/weather/mcp"))
            .insert_header(("authorization", format!("Bearer {token}")));
        let response = call_service(&server, request.to_request()).await;
        let status = response.status().as_u16();
        let challenge = response.headers().get("www-authenticate").map(|value| value.to_str().unwrap().to_owned());
        (status, challenge, String::from_utf8(read_body(response).await.to_vec()).unwrap())
    }

    /// architecture 11a.3: what cannot be known is an outage, never an opinion about the token, and never open.
    #[actix_web::test]
    async fn nobody_comes_in_while_endings_are_not_known() {
        let folder = tempfile::tempdir().unwrap();
        let app = open(folder.path()).await;
        let token = signed(&app, "app");
        assert_eq!(asked(&app, "10.0.0.1:4711", &token).await.0, 200);
        app.store.ended().grow_stale();
        let (status, challenge, body) = asked(&app, "10.0.0.1:4711", &token).await;
        assert_eq!((status, challenge), (503, None), "{body}");
        assert!(body.contains("temporarily_unavailable") && body.contains("reference"), "{body}");
    }

    /// Attack 18: the connection says who asks.
    #[actix_web::test]
    async fn another_address_is_not_the_proxy() {
        let folder = tempfile::tempdir().unwrap();
        let app = open(folder.path()).await;
        let token = signed(&app, "app");
        assert_eq!(asked(&app, "10.0.0.1:4711", &token).await.0, 200);
        assert_eq!(asked(&app, "10.0.0.2:4711", &token).await.0, 404);
    }

    /// What would end a header early, or begin another one, is never written: closed, and somebody is told.
    #[actix_web::test]
    async fn a_name_that_no_header_can_carry_lets_nobody_through() {
        let folder = tempfile::tempdir().unwrap();
        let app = open(folder.path()).await;
        let token = signed(&app, "app\r\nX-Auth-Sub: root");
        assert_eq!(asked(&app, "10.0.0.1:4711", &token).await.0, 500);
    }
}
