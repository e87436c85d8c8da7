//! GitHub as its documentation describes it, for tests: the real one cannot be reached from here.
//!
//! After "Authorizing OAuth apps" and the REST API's "Users", "Emails", "Organizations" and "Teams": answers of the token endpoint are
//! 200 also when they are errors, and form-encoded unless JSON is asked for; the API wants a `User-Agent`; lists come in pages; a token
//! that was taken back is 401 "Bad credentials". The site is the origin and the API stands below `/api/v3`, as at an Enterprise Server.

use std::collections::HashMap;
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex, MutexGuard};

use actix_web::http::header::{ACCEPT, AUTHORIZATION, LOCATION, USER_AGENT};
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use serde_json::{Value, json};
use url::{Url, form_urlencoded};

use super::{CLIENT_ID, CLIENT_SECRET, Fault, answers, keys};

/// What the double may be told.
pub struct State {
    /// `/user`.
    pub user: Value,
    /// `/user/emails`.
    pub emails: Vec<Value>,
    /// `/user/orgs`.
    pub organisations: Vec<Value>,
    /// `/user/teams`.
    pub teams: Vec<Value>,
    /// Is this a GitHub App, whose tokens expire?
    pub tokens_expire: bool,
    /// What is wrong with the answer to a path.
    pub faults: HashMap<String, Fault>,
    /// Changes the query of the way back.
    pub callback: Value,
    /// Paths that were asked, with their queries.
    pub seen: Vec<String>,
    codes: HashMap<String, (String, String)>,
    access_tokens: Vec<String>,
    refresh_tokens: Vec<String>,
    counter: u64,
}

/// The double. Its clones are the same one.
#[derive(Clone)]
pub struct Github {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
}

impl std::fmt::Debug for Github {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Github").field("address", &self.address).finish_non_exhaustive()
    }
}

impl Github {
    /// A site where octocat signs in.
    ///
    /// # Panics
    /// There is no free port.
    pub async fn rise() -> Self {
        let state = State {
            user: json!({ "login": "octocat", "id": 583_231, "name": "The Octocat", "email": "public@example.com", "type": "User" }),
            emails: vec![
                json!({ "email": "old@example.com", "primary": false, "verified": true, "visibility": null }),
                json!({ "email": "Octocat@GitHub.com", "primary": true, "verified": true, "visibility": "private" }),
            ],
            organisations: vec![json!({ "login": "octo-org", "id": 1 })],
            teams: vec![json!({ "slug": "justice-league", "id": 1, "organization": { "login": "octo-org", "id": 1 } })],
            tokens_expire: false,
            faults: HashMap::new(),
            callback: json!({}),
            seen: Vec::new(),
            codes: HashMap::new(),
            access_tokens: Vec::new(),
            refresh_tokens: Vec::new(),
            counter: 0,
        };
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let github = Self { address: listener.local_addr().expect("a bound listener"), state: Arc::new(Mutex::new(state)) };
        let theirs = github.clone();
        let server = HttpServer::new(move || {
            let github = theirs.clone();
            let answer = move |request: HttpRequest, body: web::Bytes| {
                let github = github.clone();
                async move { github.answer(&request, &body).await }
            };
            App::new().default_service(web::to(answer))
        });
        actix_web::rt::spawn(server.workers(1).disable_signals().listen(listener).expect("a bound listener is served").run());
        github
    }

    /// Its inside.
    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no holder panics")
    }

    /// Its site.
    pub fn site(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The `[[upstream]]` table for it.
    pub fn table(&self, id: &str, more: &str) -> String {
        format!(
            "[[upstream]]\nid = {id:?}\nkind = \"github\"\nissuer = {:?}\nclient_id = {CLIENT_ID:?}\nclient_secret = {CLIENT_SECRET:?}\n{more}\n",
            self.site()
        )
    }

    /// Takes back every token, as a person does in their settings.
    pub fn takes_back_all_tokens(&self) {
        let mut state = self.state();
        state.access_tokens.clear();
        state.refresh_tokens.clear();
    }

    /// Walks a browser through the sign-in page: where it is sent back to.
    ///
    /// # Panics
    /// It shows a page instead.
    pub async fn sends_back(&self, departure: &str) -> String {
        let (status, location) = answers::visit(self.address, departure).await;
        location.unwrap_or_else(|| panic!("GitHub answered {status} to {departure}"))
    }

    async fn answer(&self, request: &HttpRequest, body: &web::Bytes) -> HttpResponse {
        let path = request.path().to_owned();
        let text = if body.is_empty() { request.query_string() } else { std::str::from_utf8(body).unwrap_or_default() };
        let fields: HashMap<String, String> = form_urlencoded::parse(text.as_bytes()).into_owned().collect();
        let header = |name| request.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
        let (fault, status, document) = {
            let mut state = self.state();
            state.seen.push(format!("{path}?{}", request.query_string()));
            let fault = state.faults.get(&path).cloned();
            match path.as_str() {
                "/login/oauth/authorize" => return state.authorize(&fields),
                "/login/oauth/access_token" => {
                    let document = state.token(&fields);
                    if header(ACCEPT) != "application/json" {
                        return HttpResponse::Ok().content_type("application/x-www-form-urlencoded").body("error=not_asked_for_json");
                    }
                    (fault, 200, document)
                }
                _ if header(USER_AGENT).is_empty() => (fault, 403, json!({ "message": "Request forbidden by administrative rules." })),
                _ => {
                    let (status, document) = state.api(&path, &fields, &header(AUTHORIZATION));
                    (fault, status, document)
                }
            }
        };
        answers::broken(fault, (status, document.to_string())).await
    }
}

impl State {
    fn authorize(&mut self, fields: &HashMap<String, String>) -> HttpResponse {
        let asked = |name: &str| fields.get(name).cloned().unwrap_or_default();
        assert_eq!((asked("client_id").as_str(), asked("code_challenge_method").as_str()), (CLIENT_ID, "S256"));
        self.counter += 1;
        let code = format!("{:020}", self.counter);
        self.codes.insert(code.clone(), (asked("code_challenge"), asked("redirect_uri")));
        let mut query = json!({ "code": code, "state": asked("state") });
        for (name, value) in self.callback.as_object().into_iter().flatten() {
            query[name] = value.clone();
        }
        let mut location = Url::parse(&asked("redirect_uri")).expect("a redirect URI is a URL");
        for (name, value) in query.as_object().into_iter().flatten().filter(|(_, value)| !value.is_null()) {
            location.query_pairs_mut().append_pair(name, value.as_str().unwrap_or_default());
        }
        HttpResponse::Found().insert_header((LOCATION, String::from(location))).finish()
    }

    fn token(&mut self, fields: &HashMap<String, String>) -> Value {
        let asked = |name: &str| fields.get(name).map(String::as_str).unwrap_or_default();
        let refused = |error: &str| json!({ "error": error, "error_description": "…", "error_uri": "https://docs.github.com/" });
        if (asked("client_id"), asked("client_secret")) != (CLIENT_ID, CLIENT_SECRET) {
            return refused("incorrect_client_credentials");
        }
        if asked("grant_type") == "refresh_token" {
            let known = self.refresh_tokens.iter().position(|token| token == asked("refresh_token"));
            let Some(place) = known else { return refused("bad_refresh_token") };
            self.refresh_tokens.remove(place);
        } else {
            let Some((challenge, redirect_uri)) = self.codes.remove(asked("code")) else { return refused("bad_verification_code") };
            if redirect_uri != asked("redirect_uri") {
                return refused("redirect_uri_mismatch");
            }
            if keys::challenge_of(asked("code_verifier")) != challenge {
                return refused("bad_verification_code");
            }
        }
        self.counter += 1;
        let access_token = format!("gho_{:036}", self.counter);
        self.access_tokens.push(access_token.clone());
        let mut document = json!({ "access_token": access_token, "scope": "read:org,user:email", "token_type": "bearer" });
        if self.tokens_expire {
            let refresh_token = format!("ghr_{:036}", self.counter);
            self.refresh_tokens.push(refresh_token.clone());
            document["refresh_token"] = refresh_token.into();
            document["expires_in"] = 28_800.into();
        }
        document
    }

    fn api(&self, path: &str, fields: &HashMap<String, String>, authorization: &str) -> (u16, Value) {
        let token = authorization.strip_prefix("Bearer ").unwrap_or_default();
        if !self.access_tokens.iter().any(|known| known == token) {
            return (401, json!({ "message": "Bad credentials", "documentation_url": "https://docs.github.com/rest", "status": "401" }));
        }
        let list = match path {
            "/api/v3/user" => return (200, self.user.clone()),
            "/api/v3/user/emails" => &self.emails,
            "/api/v3/user/orgs" => &self.organisations,
            "/api/v3/user/teams" => &self.teams,
            _ => return (404, json!({ "message": "Not Found" })),
        };
        let number = |name: &str, otherwise: usize| fields.get(name).and_then(|text| text.parse().ok()).unwrap_or(otherwise);
        let (size, page) = (number("per_page", 30).min(100), number("page", 1));
        (200, list.iter().skip((page - 1) * size).take(size).cloned().collect())
    }
}
