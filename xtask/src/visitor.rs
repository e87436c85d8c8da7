//! A client and its person without a browser: registration, the pages by their forms, codes, tokens.
//!
//! For tests that need thousands of journeys. That a real browser gets through the same pages is shown elsewhere
//! (`tests/e2e`, `tests/browser`); here the forms are read from the pages as a browser reads them.

mod page;

use std::collections::BTreeMap;
use std::{error, fmt, io};

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::random;
use crate::wire::{Answer, Ask, Connection, form, query_parameter};

/// Where the client of these journeys would listen. Nobody does: the answer is read from the redirect.
pub(crate) const LOOPBACK_REDIRECT: &str = "http://127.0.0.1:33418/callback";
/// A callback that the redirect policy knows, so that an approval for it is remembered (`cargo xtask bench`).
pub(crate) const KNOWN_REDIRECT: &str = "https://claude.ai/api/mcp/auth_callback";
/// Consent with sign-in, a confirmation, and the redirects between: more is a circle.
const PAGES_MAX: usize = 8;
const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");

/// Why a journey did not arrive.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// The connection broke: the server is gone, and what it had not answered is undecided.
    Gone(io::Error),
    /// The server asks to come again later (429, 503).
    Busy,
    /// The server answered something else than it should.
    Wrong(String),
}

impl fmt::Display for Trouble {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Gone(error) => write!(formatter, "the connection broke: {error}"),
            Self::Busy => formatter.write_str("the server asks to come again later"),
            Self::Wrong(text) => formatter.write_str(text),
        }
    }
}

impl error::Error for Trouble {}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Self {
        Self::Gone(error)
    }
}

fn wrong(what: &str, answer: &Answer) -> Trouble {
    if matches!(answer.status, 429 | 503) {
        return Trouble::Busy;
    }
    let text: String = answer.text().chars().take(400).collect();
    Trouble::Wrong(format!("{what}: {} {text}", answer.status))
}

type Trip<T> = Result<T, Trouble>;

/// A registered public client.
#[derive(Debug, Clone)]
pub(crate) struct App {
    pub(crate) client_id: String,
    pub(crate) redirect_uri: String,
    /// The resource it asks tokens for, where that is not the default one (RFC 8707).
    resource: Option<String>,
    /// RFC 7592 §3: what reads the registration back, and where.
    registration_token: String,
    registration_target: String,
}

/// What the token endpoint gave.
#[derive(Debug, Clone)]
pub(crate) struct Tokens {
    pub(crate) access: String,
    pub(crate) refresh: String,
}

impl Tokens {
    /// Whether the resource lets the access token in. What it says of the empty message is its own business.
    pub(crate) fn are_admitted(&self, connection: &mut Connection) -> Trip<bool> {
        let authorization = format!("Bearer {}", self.access);
        let headers = [
            ("authorization", authorization.as_str()),
            ("content-type", "application/json"),
            ("accept", "application/json, text/event-stream"),
        ];
        let answer = connection.send(Ask { method: "POST", target: "/mcp", headers: &headers, body: b"{}" })?;
        match answer.status {
            401 => Ok(false),
            403 | 429 | 500.. => Err(wrong("the resource", &answer)),
            _ => Ok(true),
        }
    }
}

/// A code with what redeems it.
#[derive(Debug, Clone)]
pub(crate) struct Receipt {
    pub(crate) code: String,
    pub(crate) verifier: String,
}

impl App {
    /// Registers a public client on loopback, as a desktop program does.
    pub(crate) fn register(connection: &mut Connection, name: &str) -> Trip<Self> {
        Self::register_for(connection, name, LOOPBACK_REDIRECT)
    }

    pub(crate) fn register_for(connection: &mut Connection, name: &str, redirect_uri: &str) -> Trip<Self> {
        let body = registration_body(name, redirect_uri);
        let headers = [("content-type", "application/json")];
        let answer = connection.send(Ask { method: "POST", target: "/register", headers: &headers, body: body.as_bytes() })?;
        if answer.status != 201 {
            return Err(wrong("registration", &answer));
        }
        let information = json_of("registration", &answer)?;
        let address = member(&information, "registration_client_uri")?;
        let client_id = member(&information, "client_id")?;
        Ok(Self {
            client_id,
            redirect_uri: redirect_uri.to_owned(),
            resource: None,
            registration_token: member(&information, "registration_access_token")?,
            registration_target: target_of(&address).to_owned(),
        })
    }

    /// The same client, asking for tokens for this resource.
    pub(crate) fn for_resource(self, resource: &str) -> Self {
        Self { resource: Some(resource.to_owned()), ..self }
    }

    /// Whether the server still knows this client (RFC 7592 §2.1).
    pub(crate) fn is_known(&self, connection: &mut Connection) -> Trip<bool> {
        let authorization = format!("Bearer {}", self.registration_token);
        let headers = [("authorization", authorization.as_str())];
        let answer = connection.send(Ask { headers: &headers, ..Ask::get(&self.registration_target) })?;
        match answer.status {
            200 => Ok(json_of("registration", &answer)?["client_id"] == self.client_id.as_str()),
            401 => Ok(false),
            _ => Err(wrong("reading a registration", &answer)),
        }
    }

    /// Redeems a code. `None`: refused as `invalid_grant`.
    pub(crate) fn redeem(&self, connection: &mut Connection, receipt: &Receipt) -> Trip<Option<Tokens>> {
        self.tokens(
            connection,
            &[
                ("grant_type", "authorization_code"),
                ("code", &receipt.code),
                ("code_verifier", &receipt.verifier),
                ("redirect_uri", &self.redirect_uri),
                ("client_id", &self.client_id),
            ],
        )
    }

    /// Rotates a refresh token. `None`: refused as `invalid_grant`.
    pub(crate) fn refresh(&self, connection: &mut Connection, token: &str) -> Trip<Option<Tokens>> {
        self.tokens(connection, &[("grant_type", "refresh_token"), ("refresh_token", token), ("client_id", &self.client_id)])
    }

    fn tokens(&self, connection: &mut Connection, pairs: &[(&str, &str)]) -> Trip<Option<Tokens>> {
        let body = form(pairs);
        let answer = connection.send(Ask { method: "POST", target: "/token", headers: &[FORM], body: body.as_bytes() })?;
        if answer.status == 400 && json_of("token", &answer)?["error"] == "invalid_grant" {
            return Ok(None);
        }
        if answer.status != 200 {
            return Err(wrong("token", &answer));
        }
        let tokens = json_of("token", &answer)?;
        Ok(Some(Tokens { access: member(&tokens, "access_token")?, refresh: member(&tokens, "refresh_token")? }))
    }
}

/// A person with a browser of their own: cookies, and hands that fill in forms.
#[derive(Debug, Clone)]
pub(crate) struct Person {
    username: String,
    password: String,
    cookies: BTreeMap<String, String>,
}

impl Person {
    pub(crate) fn new(username: &str, password: &str) -> Self {
        Self { username: username.to_owned(), password: password.to_owned(), cookies: BTreeMap::new() }
    }

    /// Lets `app` do what it asks, whatever pages stand between, and returns the code.
    pub(crate) fn allow(&mut self, connection: &mut Connection, app: &App) -> Trip<Receipt> {
        let (target, verifier) = authorization_target(app)?;
        let mut answer = self.get(connection, &target)?;
        for _ in 0..PAGES_MAX {
            answer = match answer.status {
                302 | 303 => {
                    let location = answer.header("location").unwrap_or_default().to_owned();
                    if location.starts_with(&app.redirect_uri) {
                        let code = query_parameter(&location, "code");
                        let code = code.ok_or_else(|| Trouble::Wrong(format!("no code in {location}")))?;
                        return Ok(Receipt { code, verifier });
                    }
                    self.get(connection, target_of(&location))?
                }
                200 => self.submit(connection, &answer)?,
                _ => return Err(wrong("a page", &answer)),
            };
        }
        Err(Trouble::Wrong("the pages go in circles".to_owned()))
    }

    /// The cookies as a browser sends them.
    pub(crate) fn cookie_header(&self) -> String {
        let pairs = self.cookies.iter().map(|(name, value)| format!("{name}={value}"));
        pairs.collect::<Vec<_>>().join("; ")
    }

    fn submit(&mut self, connection: &mut Connection, answer: &Answer) -> Trip<Answer> {
        let page = page::Form::read(&answer.text()).ok_or_else(|| wrong("a page without a form", answer))?;
        let mut fields: Vec<(&str, &str)> = page.hidden.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        if page.asks_for("username") {
            fields.push(("username", &self.username));
        }
        if page.asks_for("password") {
            fields.push(("password", &self.password));
        }
        fields.push(("decision", "allow"));
        let body = form(&fields);
        let cookie = self.cookie_header();
        let origin = format!("http://{}", connection.authority());
        let headers = [FORM, ("origin", origin.as_str()), ("sec-fetch-site", "same-origin"), ("cookie", cookie.as_str())];
        let answer = connection.send(Ask { method: "POST", target: target_of(&page.action), headers: &headers, body: body.as_bytes() })?;
        self.keep_cookies(&answer);
        Ok(answer)
    }

    fn get(&mut self, connection: &mut Connection, target: &str) -> Trip<Answer> {
        let cookie = self.cookie_header();
        let headers = [("cookie", cookie.as_str())];
        let headers = if cookie.is_empty() { &headers[..0] } else { &headers[..] };
        let answer = connection.send(Ask { headers, ..Ask::get(target) })?;
        self.keep_cookies(&answer);
        Ok(answer)
    }

    fn keep_cookies(&mut self, answer: &Answer) {
        for line in answer.headers_of("set-cookie") {
            let mut parts = line.split(';');
            let Some((name, value)) = parts.next().and_then(|pair| pair.split_once('=')) else {
                continue;
            };
            if value.is_empty() || parts.any(|part| part.trim().eq_ignore_ascii_case("max-age=0")) {
                self.cookies.remove(name.trim());
            } else {
                self.cookies.insert(name.trim().to_owned(), value.to_owned());
            }
        }
    }
}

/// The address a client sends its person to, and the verifier that goes with it.
pub(crate) fn authorization_target(app: &App) -> Trip<(String, String)> {
    let verifier = random::secret(32).map_err(|error| Trouble::Wrong(error.to_string()))?;
    let challenge = URL_SAFE_NO_PAD.encode(digest(&SHA256, verifier.as_bytes()));
    let mut pairs = vec![
        ("response_type", "code"),
        ("client_id", &app.client_id),
        ("redirect_uri", &app.redirect_uri),
        ("code_challenge", &challenge),
        ("code_challenge_method", "S256"),
        ("state", &verifier[..16]),
    ];
    pairs.extend(app.resource.as_deref().map(|resource| ("resource", resource)));
    Ok((format!("/authorize?{}", form(&pairs)), verifier))
}

/// What a client sends to register (RFC 7591 §2).
pub(crate) fn registration_body(name: &str, redirect_uri: &str) -> String {
    json!({
        "client_name": name,
        "redirect_uris": [redirect_uri],
        "grant_types": ["authorization_code", "refresh_token"],
        "token_endpoint_auth_method": "none",
    })
    .to_string()
}

fn json_of(what: &str, answer: &Answer) -> Trip<Value> {
    answer.json().map_err(|_| wrong(what, answer))
}

fn member(object: &Value, name: &str) -> Trip<String> {
    object[name].as_str().map(str::to_owned).ok_or_else(|| Trouble::Wrong(format!("no {name} in the answer")))
}

/// Path and query of an address on our own origin; a relative one is already that.
fn target_of(address: &str) -> &str {
    match address.split_once("://") {
        Some((_, rest)) => rest.find('/').map_or("/", |at| &rest[at..]),
        None => address,
    }
}
