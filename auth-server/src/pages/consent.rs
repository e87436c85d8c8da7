//! The page that asks: who wants what, where the answer goes, and, for a stranger, name and password.
//!
//! MCP security best practices (consent per client: name, redirect host, scopes); decision 3. What a client says about itself is
//! shown as its claim: its name never stands alone, the host that gets the answer is the largest word after the title.

use askama::Template;
use oauth_types::{RedirectKind, RedirectUri, ResourceUri, Scope};

use super::Frame;
use crate::i18n::Words;

/// Consent, confirmation, or both with a sign-in.
#[derive(Template)]
#[template(path = "pages/consent.html")]
pub(crate) struct ConsentPage<'a> {
    pub(crate) frame: Frame<'a>,
    pub(crate) facts: Facts,
    pub(crate) who: Who,
    /// Where the form goes.
    pub(crate) action: String,
    pub(crate) csrf_token: String,
    /// Will an approval be remembered? Then the page says so.
    pub(crate) remembered: bool,
}

/// Who is looking at the page.
pub(crate) enum Who {
    /// Somebody signed in with us.
    Account(Account),
    /// Nobody we know yet, who signs in with the answer.
    Stranger(Stranger),
    /// Nobody we know yet, who signs in elsewhere after the answer.
    Traveller(Traveller),
}

/// The account that would approve.
pub(crate) struct Account {
    pub(crate) name: String,
    /// Where they signed in, if not here.
    pub(crate) provider: Option<String>,
    /// Where one goes to be somebody else.
    pub(crate) another_href: String,
}

/// What is already in the sign-in form.
#[derive(Default)]
pub(crate) struct Stranger {
    pub(crate) username: String,
    /// Why the last attempt did not work, as a sentence.
    pub(crate) problem: Option<String>,
}

/// Where somebody will be sent.
pub(crate) struct Traveller {
    /// The one place there is; `None`: they will choose.
    pub(crate) provider: Option<String>,
}

/// What must be known before anybody says yes.
pub(crate) struct Facts {
    pub(crate) title: String,
    pub(crate) lead: String,
    pub(crate) warning: Option<String>,
    pub(crate) answer_label: String,
    pub(crate) answer_to: String,
    pub(crate) is_unverified: bool,
    pub(crate) resource_name: String,
    pub(crate) resource_uri: String,
    pub(crate) scopes: Vec<ScopeLine>,
}

/// Why somebody is asked.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asking {
    /// For the first time: may they?
    Consent,
    /// Once more, because less can be granted than was asked.
    Reduced,
    /// Once more, because they were signed in without being asked who they are.
    Silent,
}

/// The facts before they are words.
pub(crate) struct Ask<'a> {
    pub(crate) asking: Asking,
    pub(crate) client_name: Option<&'a str>,
    pub(crate) redirect_uri: &'a RedirectUri,
    /// Is the host that gets the answer one that nobody vouched for?
    pub(crate) is_unverified: bool,
    pub(crate) resource_name: &'a str,
    pub(crate) resource_uri: &'a ResourceUri,
    pub(crate) scope: &'a Scope,
}

impl Facts {
    pub(crate) fn told(ask: &Ask<'_>, words: Words<'_>) -> Self {
        let client = ask.client_name.map_or_else(|| words.say("client-name-absent"), str::to_owned);
        let warning = warning(ask, &client, words);
        let (title, lead) = match ask.asking {
            Asking::Consent => (words.say_with("consent-title", &[("client", &client)]), lead(ask, warning.is_some(), words)),
            Asking::Reduced => (words.say_with("confirm-title", &[("client", &client)]), words.say("confirm-lead")),
            Asking::Silent => (words.say("confirm-silent-title"), words.say_with("confirm-silent-lead", &[("client", &client)])),
        };
        Self {
            title,
            lead,
            warning,
            answer_label: words.say("client-answer-host"),
            answer_to: answer_to(ask.redirect_uri, words),
            is_unverified: ask.is_unverified,
            resource_name: ask.resource_name.to_owned(),
            resource_uri: ask.resource_uri.as_str().to_owned(),
            scopes: ask.scope.iter().map(|token| ScopeLine::told(token, words)).collect(),
        }
    }
}

fn answer_to(uri: &RedirectUri, words: Words<'_>) -> String {
    let host = uri.host().unwrap_or_default();
    match uri.kind() {
        RedirectKind::Https => host.to_owned(),
        RedirectKind::Loopback => words.say_with("client-answer-loopback", &[("host", host)]),
        RedirectKind::PrivateUse => words.say_with("client-answer-private", &[("scheme", uri.scheme())]),
    }
}

/// What is asked; with the caution that a warning would bring, where there is none.
fn lead(ask: &Ask<'_>, is_warned: bool, words: Words<'_>) -> String {
    let lead = words.say_with("consent-lead", &[("resource", ask.resource_name)]);
    if is_warned { lead } else { format!("{lead} {}", words.say("consent-caution")) }
}

/// Attacks 9 and 27: a name is a claim, and on one's own device any program can make it.
fn warning(ask: &Ask<'_>, client: &str, words: Words<'_>) -> Option<String> {
    let uri = ask.redirect_uri;
    match uri.kind() {
        RedirectKind::Loopback => Some(words.say_with("warning-loopback", &[("client", client)])),
        RedirectKind::PrivateUse => Some(words.say_with("warning-private", &[("scheme", uri.scheme())])),
        RedirectKind::Https if ask.is_unverified => {
            Some(words.say_with("warning-unverified", &[("client", client), ("host", uri.host().unwrap_or_default())]))
        }
        RedirectKind::Https => None,
    }
}

/// One permission in words.
pub(crate) struct ScopeLine {
    pub(crate) kind: ScopeKind,
    pub(crate) text: String,
    /// The word itself, for who knows it.
    pub(crate) token: String,
}

/// What a permission does to things.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ScopeKind {
    Read,
    Write,
    Keep,
    /// About the person, not about things.
    Know,
    Other,
}

impl ScopeKind {
    /// By the last word of the token, which is the custom that resource owners follow (`mcp:read`, `files.write`).
    fn of(token: &str) -> Self {
        match token.rsplit([':', '.', '/']).next().unwrap_or(token) {
            "read" => Self::Read,
            "write" => Self::Write,
            "offline_access" => Self::Keep,
            "openid" | "profile" | "email" => Self::Know,
            _ => Self::Other,
        }
    }

    pub(crate) fn class(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Keep => "keep",
            Self::Know => "know",
            Self::Other => "other",
        }
    }

    pub(crate) fn key(self) -> &'static str {
        match self {
            Self::Read => "scope-kind-read",
            Self::Write => "scope-kind-write",
            Self::Keep => "scope-kind-keep",
            Self::Know => "scope-kind-know",
            Self::Other => "scope-kind-other",
        }
    }
}

impl ScopeLine {
    fn told(token: &str, words: Words<'_>) -> Self {
        let key = format!("scope-{}", token.replace(':', "-"));
        let known = words.say_if_known(&key).unwrap_or_else(|| words.say("scope-unknown"));
        Self { kind: ScopeKind::of(token), text: known, token: token.to_owned() }
    }
}

#[cfg(test)]
pub(super) fn samples(frame: Frame<'_>) -> Vec<(&'static str, ConsentPage<'_>)> {
    let page = |redirect: &str, name: Option<&str>, is_unverified: bool, scope: &str, asking: Asking, who: Who| ConsentPage {
        frame,
        facts: Facts::told(
            &Ask {
                asking,
                client_name: name,
                redirect_uri: &RedirectUri::parse(redirect).expect("a redirect URI"),
                is_unverified,
                resource_name: "Team documents",
                resource_uri: &ResourceUri::parse("https://mcp.example.com/mcp").expect("a resource"),
                scope: &Scope::parse(scope).expect("a scope"),
            },
            frame.words,
        ),
        who,
        action: "/consent/flow".to_owned(),
        csrf_token: "token".to_owned(),
        remembered: !is_unverified && redirect.starts_with("https"),
    };
    let account = |provider: Option<&str>| {
        let another_href = "/login/flow".to_owned();
        Who::Account(Account { name: "alice".to_owned(), provider: provider.map(str::to_owned), another_href })
    };
    let (alice, alice_elsewhere) = (|| account(None), || account(Some("Company sign-in")));
    let traveller = |provider: Option<&str>| Who::Traveller(Traveller { provider: provider.map(str::to_owned) });
    let stranger = |username: &str, problem: Option<String>| Who::Stranger(Stranger { username: username.to_owned(), problem });
    let wrong = frame.words.say("sign-in-wrong");
    let slow = frame.words.say_with("sign-in-slow", &[("minutes", "5")]);
    let claude = "https://claude.ai/api/mcp/auth_callback";
    let local = "http://localhost:3118/callback";
    vec![
        ("consent_verified", page(claude, Some("Claude"), false, "mcp:read mcp:write mcp:infer", Asking::Consent, alice())),
        ("consent_unverified", page("https://evil.example/cb", Some("Claude"), true, "mcp:read", Asking::Consent, alice())),
        (
            "consent_private_use",
            page("cursor://anysphere.cursor-mcp/oauth/callback", Some("Cursor"), false, "mcp:read", Asking::Consent, alice()),
        ),
        ("consent_markup_in_name", page(local, Some("<b onmouseover=\"x()\">&amp;"), false, "files.write odd", Asking::Consent, alice())),
        ("confirm", page(claude, Some("Claude"), false, "mcp:read", Asking::Reduced, alice())),
        ("confirm_silent", page(claude, Some("Claude"), false, "mcp:read mcp:write", Asking::Silent, alice_elsewhere())),
        ("consent_elsewhere", page(claude, Some("Claude"), false, "mcp:read", Asking::Consent, alice_elsewhere())),
        ("consent_about_you", page(claude, Some("Claude"), false, "mcp:read openid profile email", Asking::Consent, alice_elsewhere())),
        ("consent_nothing", page(claude, Some("Claude"), false, "", Asking::Consent, alice())),
        (
            "continue_to_one",
            page(local, Some("Claude Code"), false, "mcp:read mcp:write", Asking::Consent, traveller(Some("Company sign-in"))),
        ),
        ("continue_to_many", page(claude, Some("Claude"), false, "mcp:read", Asking::Consent, traveller(None))),
        ("sign_in", page(local, Some("Claude Code"), false, "mcp:read mcp:write", Asking::Consent, stranger("", None))),
        ("sign_in_wrong", page(local, None, false, "mcp:read", Asking::Consent, stranger("alice", Some(wrong)))),
        ("sign_in_slow", page(claude, Some("Claude"), false, "mcp:read offline_access", Asking::Consent, stranger("alice", Some(slow)))),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::i18n::{I18n, Language};

    fn html_of(sample: &str) -> String {
        let i18n = I18n::new(Language::En).expect("the locale files are Fluent");
        let frame = Frame::new(i18n.words(Language::En), "Portico", "mcp.example.com");
        let found = samples(frame).into_iter().find(|(name, _)| *name == sample).expect("the sample exists");
        found.1.render().expect("a sample renders")
    }

    /// Attack 9: the host that gets the answer and the word "unverified" are shown; a verified client has neither warning.
    #[test]
    fn an_unverified_host_is_named_and_warned_about_and_a_verified_one_is_only_named() {
        let stranger = html_of("consent_unverified");
        assert!(stranger.contains("evil.example") && stranger.contains("Unverified") && stranger.contains("Nobody has checked this app"));
        let known = html_of("consent_verified");
        assert!(known.contains("claude.ai") && !known.contains("Unverified") && !known.contains("class=\"alert"));
    }

    /// Attack 27: a loopback redirect is warned about, because any local process can claim any client.
    #[test]
    fn a_loopback_redirect_is_warned_about() {
        assert!(html_of("sign_in").contains("Any program here could call itself"));
        assert!(html_of("consent_private_use").contains("through a “cursor:” address"));
    }

    /// Attack 8: what a client says about itself is text.
    #[test]
    fn markup_in_a_client_name_is_shown_as_text() {
        let html = html_of("consent_markup_in_name");
        assert!(!html.contains("<b onmouseover"));
        assert!(html.contains("&#60;b onmouseover"), "{html}");
    }

    #[test]
    fn reading_and_changing_are_told_apart() {
        let kinds: Vec<_> =
            ["mcp:read", "files.write", "offline_access", "openid", "email", "mcp:infer"].into_iter().map(ScopeKind::of).collect();
        assert_eq!(kinds, [ScopeKind::Read, ScopeKind::Write, ScopeKind::Keep, ScopeKind::Know, ScopeKind::Know, ScopeKind::Other]);
        let html = html_of("consent_verified");
        assert!(html.contains("<li class=\"read\">") && html.contains("<li class=\"write\">"));
    }

    #[test]
    fn a_wrong_password_keeps_the_name_and_never_shows_the_password() {
        let html = html_of("sign_in_wrong");
        assert!(html.contains("value=\"alice\"") && html.contains("role=\"alert\""));
        assert!(!html.contains("type=\"password\" value"));
    }

    #[test]
    fn denying_needs_no_password() {
        assert!(html_of("sign_in").contains("value=\"deny\" formnovalidate"));
    }
}
