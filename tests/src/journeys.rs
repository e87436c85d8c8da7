//! The road from a client's question to its code: authorize → consent and sign-in → redirect. Any step can be replaced.

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::expect;
use crate::people::{App, Browser};
use crate::wire::{Answer, form_text};

/// A code verifier as RFC 7636 §4.1 wants it. Fixed: no rule depends on its randomness, and failures can be repeated.
pub const VERIFIER: &str = "a-code-verifier-of-the-stage_0123456789.ABCDEFGHIJ~";
/// The state of every journey that is not told another; a client's own characters must survive.
pub const STATE: &str = "state/of+the=journey &%ü";

/// The S256 challenge of a verifier.
pub fn challenge_of(verifier: &str) -> String {
    URL_SAFE_NO_PAD.encode(digest(&SHA256, verifier.as_bytes()))
}

/// A code that a client holds, with what it needs to redeem it.
#[derive(Debug, Clone)]
pub struct IssuedCode {
    /// The code.
    pub code: String,
    /// The verifier of the challenge that was sent.
    pub verifier: String,
    /// The redirect URI of the request.
    pub redirect_uri: String,
    /// All parameters of the redirect.
    pub query: Vec<(String, String)>,
}

/// One journey of one browser for one client.
#[derive(Debug, Clone)]
pub struct Journey {
    browser: Browser,
    pairs: Vec<(String, String)>,
    verifier: String,
    is_posted: bool,
}

impl Journey {
    pub(crate) fn new(app: &App, browser: Browser) -> Self {
        let challenge = challenge_of(VERIFIER);
        let pairs = [
            ("response_type", "code"),
            ("client_id", &app.id),
            ("redirect_uri", &app.redirect_uri),
            ("state", STATE),
            ("code_challenge", &challenge),
            ("code_challenge_method", "S256"),
        ];
        let pairs = pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
        Self { browser, pairs, verifier: VERIFIER.into(), is_posted: false }
    }

    /// Replaces a parameter or adds it.
    #[must_use]
    pub fn with(self, name: &str, value: &str) -> Self {
        self.without(name).and(name, value)
    }

    /// Leaves a parameter out.
    #[must_use]
    pub fn without(mut self, name: &str) -> Self {
        self.pairs.retain(|(known, _)| known != name);
        self
    }

    /// Adds a parameter, even if it is there already.
    #[must_use]
    pub fn and(mut self, name: &str, value: &str) -> Self {
        self.pairs.push((name.into(), value.into()));
        self
    }

    /// Another verifier, with its challenge.
    #[must_use]
    pub fn verifier(mut self, verifier: &str) -> Self {
        self.verifier = verifier.into();
        self.with("code_challenge", &challenge_of(verifier))
    }

    /// In this browser instead of a fresh one.
    #[must_use]
    pub fn in_browser(mut self, browser: Browser) -> Self {
        self.browser = browser;
        self
    }

    /// Sends the question as a POST.
    #[must_use]
    pub fn posted(mut self) -> Self {
        self.is_posted = true;
        self
    }

    /// The path and query with which this journey begins.
    pub fn target(&self) -> String {
        format!("/authorize?{}", form_text(&self.pairs))
    }

    /// The browser, to look at or to use.
    pub fn browser(&mut self) -> &mut Browser {
        &mut self.browser
    }

    /// The browser for another journey.
    pub fn into_browser(self) -> Browser {
        self.browser
    }

    /// The first answer of `/authorize`, followed nowhere.
    pub async fn asks(&mut self) -> Answer {
        if self.is_posted {
            // A client's page of another origin may send it: OpenID Connect Core §3.1.2.1 wants POST, and it changes nothing.
            let request = self.browser.dressed("POST", "/authorize").form(&self.pairs);
            return self.browser.send(request).await;
        }
        let target = self.target();
        self.browser.get(&target).await
    }

    /// The page that asks the person, with its path.
    pub async fn until_page(&mut self) -> (Answer, String) {
        let first = self.asks().await;
        let (page, path) = self.browser.walk(first, self.target()).await;
        assert_eq!(page.status, 200, "no page: {}", expect::told(&page));
        (page, path)
    }

    /// What the browser is told in the end when the person agrees to everything.
    pub async fn until_answer(&mut self) -> Answer {
        let first = self.asks().await;
        let target = self.target();
        self.browser.agrees_until_the_end(first, target).await
    }

    /// What the browser is told when the person refuses.
    pub async fn until_denied(&mut self) -> Answer {
        let (page, path) = self.until_page().await;
        let answer = self.browser.says_no(&page, &path).await;
        self.browser.walk(answer, path).await.0
    }

    /// The code, when the person agrees to everything.
    pub async fn until_code(&mut self) -> IssuedCode {
        let answer = self.until_answer().await;
        self.code_of(&answer)
    }

    /// The code of a redirect to the client.
    pub fn code_of(&self, answer: &Answer) -> IssuedCode {
        let asked = self.pairs.iter().find(|(name, _)| name == "redirect_uri").map(|(_, value)| value.clone());
        let redirect_uri = asked.unwrap_or_else(|| answer.location().split('?').next().unwrap_or_default().to_owned());
        let query = expect::redirect_to(answer, &redirect_uri);
        IssuedCode { code: expect::one(&query, "code"), verifier: self.verifier.clone(), redirect_uri, query }
    }
}
