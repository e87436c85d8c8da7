//! What the provider answers, endpoint by endpoint.

use std::collections::HashMap;
use std::net::SocketAddr;

use actix_web::http::header::{ACCEPT, AUTHORIZATION, LOCATION};
use actix_web::web::Bytes;
use actix_web::{HttpRequest, HttpResponse};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use url::Url;
use url::form_urlencoded;

use super::{Fault, Given, Idp, REALM, Refreshing, Seen, Session, State, keys};

/// The short name of a path.
pub(super) fn endpoint_of(path: &str) -> &str {
    match path {
        "/.well-known/openid-configuration" => "discovery",
        path => path.rsplit('/').next().unwrap_or_default(),
    }
}

/// How it went: a redirect back, or a document.
enum Reply {
    Document(u16, Value),
    Redirect(String),
}

impl Idp {
    pub(super) async fn answer(&self, request: &HttpRequest, body: &Bytes) -> HttpResponse {
        let path = request.path().strip_prefix(REALM).unwrap_or_default().to_owned();
        let endpoint = endpoint_of(&path).to_owned();
        let text = if body.is_empty() { request.query_string() } else { std::str::from_utf8(body).unwrap_or_default() };
        let fields: HashMap<String, String> = form_urlencoded::parse(text.as_bytes()).into_owned().collect();
        let authorization = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let (fault, reply) = {
            let mut state = self.state();
            let scheme = authorization.as_ref().and_then(|text| text.split(' ').next()).map(str::to_owned);
            state.seen.push(Seen { path, fields: fields.clone(), scheme });
            (state.faults.get(&endpoint).cloned(), self.reply(&mut state, &endpoint, &fields, authorization.as_deref()))
        };
        assert!(request.headers().get(ACCEPT).is_some() || endpoint == "auth", "a client says what it reads");
        let response = match reply {
            Reply::Document(status, document) => (status, document.to_string()),
            Reply::Redirect(location) => return HttpResponse::Found().insert_header((LOCATION, location)).finish(),
        };
        broken(fault, response).await
    }

    fn reply(&self, state: &mut State, endpoint: &str, fields: &HashMap<String, String>, authorization: Option<&str>) -> Reply {
        match endpoint {
            "discovery" => {
                let mut document = self.discovery();
                state.twist("discovery", &mut document);
                Reply::Document(200, document)
            }
            "certs" => {
                let mut document = keys::published(&state.kid);
                state.twist("certs", &mut document);
                Reply::Document(200, document)
            }
            "auth" => self.authorize(state, fields),
            "token" => {
                let (status, mut document) = self
                    .token(state, fields, authorization)
                    .unwrap_or_else(|(status, error, description)| (status, json!({ "error": error, "error_description": description })));
                if status == 200 {
                    state.twist("token", &mut document);
                }
                Reply::Document(status, document)
            }
            "userinfo" => {
                let token = authorization.and_then(|text| text.strip_prefix("Bearer ")).unwrap_or_default();
                let sid = state.access_tokens.get(token).cloned().unwrap_or_default();
                let person = state.sessions.get(&sid).map(|session| state.people[&session.person].clone());
                match person.filter(|person| !person.disabled) {
                    Some(person) => {
                        let mut document = about(&person);
                        document["sub"] = person.sub.into();
                        state.twist("userinfo", &mut document);
                        Reply::Document(200, document)
                    }
                    None => Reply::Document(401, json!({ "error": "invalid_token" })),
                }
            }
            _ => Reply::Document(404, json!({ "error": "not found" })),
        }
    }

    fn discovery(&self) -> Value {
        json!({
            "issuer": self.issuer(),
            "authorization_endpoint": self.at("auth"),
            "token_endpoint": self.at("token"),
            "jwks_uri": self.at("certs"),
            "userinfo_endpoint": self.at("userinfo"),
            "end_session_endpoint": self.at("logout"),
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256", "ES256"],
            "scopes_supported": ["openid", "profile", "email", "offline_access"],
            "code_challenge_methods_supported": ["plain", "S256"],
            "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
            "authorization_response_iss_parameter_supported": true,
            "backchannel_logout_supported": true,
            "backchannel_logout_session_supported": true,
        })
    }

    /// The sign-in page, with somebody who signs in before it is seen.
    fn authorize(&self, state: &mut State, fields: &HashMap<String, String>) -> Reply {
        let asked = |name: &str| fields.get(name).cloned().unwrap_or_default();
        let redirect_uri = asked("redirect_uri");
        if asked("client_id") != state.client_id || redirect_uri.is_empty() {
            return Reply::Document(400, json!({ "error": "invalid redirect_uri or client" }));
        }
        let mut query = json!({ "state": asked("state"), "iss": self.issuer() });
        let challenge = asked("code_challenge");
        if asked("code_challenge_method") != "S256" || challenge.len() != 43 {
            query["error"] = "invalid_request".into();
            query["error_description"] = "Missing parameter: code_challenge_method".into();
        } else {
            state.counter += 1;
            let (sid, code) = (format!("session-{:04}", state.counter), format!("code-{:04}-of-the-provider", state.counter));
            let session = Session { person: state.who.clone(), auth_time: (state.now)(), ended: false };
            state.sessions.insert(sid.clone(), session);
            let offline = asked("scope").split(' ').any(|scope| scope == "offline_access");
            let given = Given {
                sid: sid.clone(),
                nonce: fields.get("nonce").cloned(),
                challenge,
                redirect_uri: redirect_uri.clone(),
                offline,
                used: false,
            };
            state.codes.insert(code.clone(), given);
            query["session_state"] = sid.into();
            query["code"] = code.into();
        }
        state.twist("callback", &mut query);
        let mut location = Url::parse(&redirect_uri).expect("a redirect URI is a URL");
        for (name, value) in query.as_object().into_iter().flatten() {
            location.query_pairs_mut().append_pair(name, value.as_str().unwrap_or_default());
        }
        Reply::Redirect(location.into())
    }

    fn token(
        &self,
        state: &mut State,
        fields: &HashMap<String, String>,
        authorization: Option<&str>,
    ) -> Result<(u16, Value), (u16, &'static str, &'static str)> {
        if !state.knows_client(fields, authorization) {
            // As Keycloak does; RFC 6749 §5.2 would say invalid_client.
            return Err((401, "unauthorized_client", "Invalid client or Invalid client credentials"));
        }
        let refused = |why| (400, "invalid_grant", why);
        let asked = |name: &str| fields.get(name).map(String::as_str).unwrap_or_default();
        let given = match asked("grant_type") {
            "authorization_code" => {
                let given = state.codes.get_mut(asked("code")).ok_or(refused("Code not valid"))?;
                let is_theirs =
                    given.redirect_uri == asked("redirect_uri") && keys::challenge_of(asked("code_verifier")) == given.challenge;
                if std::mem::replace(&mut given.used, true) || !is_theirs {
                    return Err(refused("Code not valid"));
                }
                given.clone()
            }
            "refresh_token" => {
                let given = state.refresh_tokens.get(asked("refresh_token")).cloned().ok_or(refused("Invalid refresh token"))?;
                if state.refreshing == Refreshing::Rotating {
                    state.refresh_tokens.remove(asked("refresh_token"));
                }
                Given { nonce: None, ..given }
            }
            _ => return Err((400, "unsupported_grant_type", "Unsupported grant_type")),
        };
        let session = state.sessions[&given.sid].clone();
        let person = state.people[&session.person].clone();
        if person.disabled {
            return Err(refused("User disabled"));
        }
        if session.ended && !given.offline {
            return Err(refused("Session not active"));
        }
        let mut document = self.tokens(state, &given, &session, &person);
        if state.refreshing == Refreshing::Same && asked("grant_type") == "refresh_token" {
            document["refresh_token"] = asked("refresh_token").into();
        }
        Ok((200, document))
    }

    fn tokens(&self, state: &mut State, given: &Given, session: &Session, person: &super::Person) -> Value {
        state.counter += 1;
        let access_token = format!("access-{:04}-of-the-provider", state.counter);
        let now = (state.now)();
        let mut claims = about(person);
        let more = json!({
            "iss": self.issuer(), "aud": state.client_id, "azp": state.client_id, "sub": person.sub, "sid": given.sid, "iat": now,
            "exp": now + 60, "auth_time": session.auth_time, "acr": "1", "typ": "ID", "jti": format!("id-{}", state.counter),
            "at_hash": keys::half_hash(&access_token), "nonce": given.nonce,
        });
        for (name, value) in more.as_object().into_iter().flatten().filter(|(_, value)| !value.is_null()) {
            claims[name] = value.clone();
        }
        state.twist("id_token", &mut claims);
        let id_token = state.sign("JWT", claims);
        state.access_tokens.insert(access_token.clone(), given.sid.clone());
        let mut document =
            json!({ "access_token": access_token, "token_type": "Bearer", "expires_in": 60, "id_token": id_token, "scope": "openid" });
        if state.refreshing != Refreshing::Never {
            let refresh_token = format!("refresh-{:04}-of-the-provider", state.counter);
            state.refresh_tokens.insert(refresh_token.clone(), given.clone());
            document["refresh_token"] = refresh_token.into();
        }
        document
    }
}

/// What mappers put into ID token and UserInfo. Groups are absent rather than empty.
fn about(person: &super::Person) -> Value {
    let mut claims = json!({
        "name": person.name, "preferred_username": person.username, "email": person.email, "email_verified": person.email_verified,
        "realm_access": { "roles": person.roles.iter().map(String::as_str).chain(["offline_access"]).collect::<Vec<_>>() },
    });
    if !person.client_roles.is_empty() {
        claims["resource_access"] = json!({ super::CLIENT_ID: { "roles": person.client_roles } });
    }
    if !person.groups.is_empty() {
        claims["groups"] = json!(person.groups);
    }
    claims
}

impl State {
    pub(super) fn twist(&self, document: &str, value: &mut Value) {
        if let Some(twist) = self.twists.get(document) {
            twist(value);
        }
    }

    /// RFC 6749 §2.3.1: in a header, form-encoded, or in the form.
    fn knows_client(&self, fields: &HashMap<String, String>, authorization: Option<&str>) -> bool {
        let decoded = |text: &str| form_urlencoded::parse(text.as_bytes()).next().map(|(name, _)| name.into_owned()).unwrap_or_default();
        let in_header = authorization.and_then(|text| text.strip_prefix("Basic ")).map(|text| {
            let pair = String::from_utf8(STANDARD.decode(text).unwrap_or_default()).unwrap_or_default();
            let (id, secret) = pair.split_once(':').unwrap_or_default();
            (decoded(id), decoded(secret))
        });
        let in_form = || Some((fields.get("client_id")?.clone(), fields.get("client_secret")?.clone()));
        in_header.or_else(in_form).is_some_and(|(id, secret)| id == self.client_id && secret == self.client_secret)
    }
}

/// Sends an answer, or what a fault makes of it.
pub(super) async fn broken(fault: Option<Fault>, (status, body): (u16, String)) -> HttpResponse {
    let answer = |status: u16, body: String| {
        let status = actix_web::http::StatusCode::from_u16(status).expect("a status");
        HttpResponse::build(status).content_type("application/json").body(body)
    };
    match fault {
        None => answer(status, body),
        Some(Fault::Status(status)) => answer(status, "{}".into()),
        Some(Fault::Says(status, body)) => answer(status, body),
        Some(Fault::Slow(wait)) => {
            tokio::time::sleep(wait).await;
            answer(status, body)
        }
        Some(Fault::Huge(bytes)) => {
            let filler = Bytes::from(format!("{{\"filler\":\"{}", "x".repeat(bytes)));
            let chunks: Vec<_> = filler.chunks(16 * 1024).map(|chunk| Ok::<_, std::io::Error>(filler.slice_ref(chunk))).collect();
            HttpResponse::Ok().content_type("application/json").streaming(futures_util::stream::iter(chunks))
        }
        Some(Fault::Redirect(to)) => HttpResponse::Found().insert_header((LOCATION, to)).body(body),
        Some(Fault::Truncated) => {
            let half = Bytes::from(body[..body.len() / 2].to_owned());
            let parts = [Ok(half), Err(std::io::Error::other("broken off"))];
            HttpResponse::Ok().content_type("application/json").streaming(futures_util::stream::iter(parts))
        }
    }
}

/// GET as a browser: status and, if it is a redirect, where to.
pub(super) async fn visit(address: SocketAddr, url: &str) -> (u16, Option<String>) {
    let url = Url::parse(url).expect("a departure is a URL");
    let target = &url[url::Position::BeforePath..url::Position::AfterQuery];
    let mut stream = tokio::net::TcpStream::connect(address).await.expect("the provider listens");
    let request = format!("GET {target} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.expect("a request is sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("an answer comes");
    let status = answer.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or_default();
    let location = answer.lines().find_map(|line| line.split_once(": ").filter(|(name, _)| name.eq_ignore_ascii_case("location")));
    (status, location.map(|(_, to)| to.trim().to_owned()))
}
