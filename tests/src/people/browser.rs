//! A person's browser: keeps cookies as browsers do, follows nothing by itself, submits the forms it finds.

use crate::expect;
use crate::html::{self, Form};
use crate::idp::Idp;
use crate::stage::{ALICE, PASSWORD, Replica};
use crate::wire::{Answer, Request, Wire};

/// More pages than any journey needs; a journey longer than this walks in a circle.
const PAGES_MAX: usize = 8;

/// A cookie with the attributes that decide where it goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cookie {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: String,
    path: String,
}

/// A browser with its jar.
#[derive(Debug, Clone)]
pub struct Browser {
    wire: Wire,
    origin: String,
    jar: Vec<Cookie>,
    language: Option<String>,
    username: String,
    password: String,
    idp: Option<Idp>,
}

impl Browser {
    pub(crate) fn new(wire: Wire, origin: &str) -> Self {
        Self { wire, origin: origin.into(), jar: Vec::new(), language: None, username: ALICE.into(), password: PASSWORD.into(), idp: None }
    }

    /// The same browser in the hands of somebody who types other credentials.
    #[must_use]
    pub fn typing(mut self, username: &str, password: &str) -> Self {
        self.username = username.into();
        self.password = password.into();
        self
    }

    /// The same browser, which follows to this provider and back. Without it a walk ends where it would leave for one.
    #[must_use]
    pub fn signing_in_at(mut self, idp: &Idp) -> Self {
        self.idp = Some(idp.clone());
        self
    }

    /// The same browser, routed to another replica.
    #[must_use]
    pub fn at(mut self, replica: &Replica) -> Self {
        self.wire = replica.wire().clone();
        self
    }

    /// Asks for pages in this language.
    #[must_use]
    pub fn reading(mut self, language: &str) -> Self {
        self.language = Some(language.into());
        self
    }

    /// What the jar holds.
    pub fn cookies(&self) -> &[Cookie] {
        &self.jar
    }

    /// Drops the cookies whose name contains this.
    pub fn forget_cookies(&mut self, name_part: &str) {
        self.jar.retain(|cookie| !cookie.name.contains(name_part));
    }

    /// Puts a cookie into the jar, as a neighbour on the same host could.
    pub fn plant_cookie(&mut self, name: &str, value: &str) {
        self.jar.retain(|cookie| cookie.name != name);
        self.jar.push(Cookie { name: name.into(), value: value.into(), path: "/".into() });
    }

    /// GET of a path or of a URL on our origin.
    pub async fn get(&mut self, target: &str) -> Answer {
        let request = self.dressed("GET", target);
        self.send(request).await
    }

    /// POST of pairs to a path on our origin, as a form of our own page sends it.
    pub async fn post(&mut self, target: &str, pairs: &[(String, String)]) -> Answer {
        let request = self.dressed("POST", target).header("origin", self.origin.clone()).header("sec-fetch-site", "same-origin");
        self.send(request.form(pairs)).await
    }

    /// A request with the cookies of this browser and nothing else, to be dressed by the test.
    pub fn dressed(&self, method: &str, target: &str) -> Request {
        let path = target.strip_prefix(&self.origin).unwrap_or(target);
        assert!(path.starts_with('/'), "a stage's browser does not leave its origin: {target}");
        let mut request = self.wire.request(method, path).header("accept", "text/html,application/xhtml+xml");
        let sent: Vec<_> = self
            .jar
            .iter()
            .filter(|cookie| path.starts_with(&cookie.path))
            .map(|cookie| format!("{}={}", cookie.name, cookie.value))
            .collect();
        if !sent.is_empty() {
            request = request.header("cookie", sent.join("; "));
        }
        match &self.language {
            Some(language) => request.header("accept-language", language.clone()),
            None => request,
        }
    }

    /// Sends a dressed request and keeps the cookies of its answer.
    pub async fn send(&mut self, request: Request) -> Answer {
        let answer = request.await;
        self.keep_cookies(&answer);
        answer
    }

    /// Submits a form with a button, other fields replaced by name.
    pub async fn submit(&mut self, form: &Form, page_path: &str, press: Option<(&str, &str)>, fill: &[(&str, &str)]) -> Answer {
        let mut pairs = form.resting_values();
        for (name, value) in fill {
            pairs.retain(|(known, _)| known != name);
            pairs.push(((*name).into(), (*value).into()));
        }
        if let Some((name, value)) = press {
            pairs.push((name.into(), value.into()));
        }
        let action = if form.action.is_empty() { page_path } else { &form.action };
        self.post(action, &pairs).await
    }

    /// What a person does to say yes: types name and password where asked, presses the button that allows.
    pub async fn says_yes(&mut self, page: &Answer, page_path: &str) -> Answer {
        self.decides(page, page_path, "allow").await
    }

    /// What a person does to say no.
    pub async fn says_no(&mut self, page: &Answer, page_path: &str) -> Answer {
        self.decides(page, page_path, "deny").await
    }

    async fn decides(&mut self, page: &Answer, page_path: &str, decision: &str) -> Answer {
        let text = page.text();
        let forms = html::forms(&text);
        let offers = |form: &&Form| form.buttons().iter().any(|button| button.value == decision);
        let form = forms.iter().find(offers).or_else(|| forms.iter().find(|form| form.asks_password()));
        let form = form.unwrap_or_else(|| panic!("no form offers `{decision}`: {}", expect::told(page)));
        let button = form.buttons().into_iter().find(|button| button.value == decision);
        let press = button.map(|button| (button.name.clone(), button.value.clone()));
        let mut fill = Vec::new();
        if form.asks_password() && decision == "allow" {
            for field in &form.fields {
                match field.kind.as_str() {
                    "password" => fill.push((field.name.as_str(), self.password.clone())),
                    "text" | "" if field.tag == "input" => fill.push((field.name.as_str(), self.username.clone())),
                    _ => {}
                }
            }
        }
        let fill: Vec<_> = fill.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let press = press.as_ref().map(|(name, value)| (name.as_str(), value.as_str()));
        self.submit(form, page_path, press, &fill).await
    }

    /// Follows redirects on our own origin, pages that lead on by themselves, and the way to a provider and back, until a page, a
    /// refusal or a foreign redirect stands there. Returns it with the path at which it was met.
    pub async fn walk(&mut self, mut answer: Answer, mut path: String) -> (Answer, String) {
        for _ in 0..PAGES_MAX {
            let Some(next) = self.next_stop(&answer).await else { return (answer, path) };
            answer = self.get(&next).await;
            path = next;
        }
        panic!("redirected in a circle: {}", expect::told(&answer));
    }

    /// Opens a path and walks on from there.
    pub async fn open(&mut self, target: &str) -> (Answer, String) {
        let answer = self.get(target).await;
        self.walk(answer, target.to_owned()).await
    }

    /// Says yes to every page until the browser is sent to the client or refused.
    pub async fn agrees_until_the_end(&mut self, answer: Answer, path: String) -> Answer {
        let (mut answer, mut path) = self.walk(answer, path).await;
        for _ in 0..PAGES_MAX {
            if answer.status != 200 {
                return answer;
            }
            let next = self.says_yes(&answer, &path).await;
            (answer, path) = self.walk(next, path).await;
        }
        panic!("asked again and again: {}", expect::told(&answer));
    }

    async fn next_stop(&self, answer: &Answer) -> Option<String> {
        let refresh = answer.header("refresh").and_then(|value| value.strip_prefix("0; url="));
        if let Some(own) = refresh.filter(|target| target.starts_with('/')) {
            return Some(own.to_owned());
        }
        let location = answer.header("location").unwrap_or_default();
        match self.idp.as_ref().filter(|idp| matches!(answer.status, 302 | 303) && location.starts_with(&idp.origin())) {
            Some(idp) => {
                let back = idp.sends_back(location).await;
                Some(back.strip_prefix(&self.origin).unwrap_or_else(|| panic!("sent elsewhere: {back}")).to_owned())
            }
            None => self.own_redirect(answer),
        }
    }

    fn own_redirect(&self, answer: &Answer) -> Option<String> {
        let location = answer.header("location").filter(|_| matches!(answer.status, 302 | 303))?;
        let path = location.strip_prefix(&self.origin).unwrap_or(location);
        path.starts_with('/').then(|| path.to_owned())
    }

    fn keep_cookies(&mut self, answer: &Answer) {
        for line in answer.headers_named("set-cookie") {
            let mut parts = line.split(';').map(str::trim);
            let Some((name, value)) = parts.next().and_then(|pair| pair.split_once('=')) else { continue };
            let attributes: Vec<_> = parts.map(|part| part.split_once('=').unwrap_or((part, ""))).collect();
            let attribute = |wanted: &str| attributes.iter().find(|(key, _)| key.eq_ignore_ascii_case(wanted)).map(|(_, value)| *value);
            self.jar.retain(|cookie| cookie.name != name);
            let is_over = attribute("max-age") == Some("0") || value.is_empty();
            if !is_over {
                let path = attribute("path").unwrap_or("/").to_owned();
                self.jar.push(Cookie { name: name.into(), value: value.into(), path });
            }
        }
    }
}
