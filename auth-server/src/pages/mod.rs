//! What people see: one struct a page, the template of the same name in `templates/pages/`.
//!
//! A page struct holds what is shown, already decided; every sentence comes from `templates/locales/`. Pages need no script and
//! load nothing from elsewhere. This module owns their headers (Content Security Policy Level 3) and the two files they load;
//! it knows no flow, no store and no request.

mod answered;
pub(crate) mod assets;
pub(crate) mod consent;
mod error;
mod home;
mod logout;
mod signed_out;

use actix_web::{
    HttpRequest, HttpResponse,
    http::{StatusCode, header},
};
use askama::Template;
use oauth_types::{RedirectKind, RedirectUri};

pub(crate) use self::{
    answered::AnsweredPage,
    error::{ErrorPage, Story},
    home::{HomePage, HomeSession, ResourceLine},
    logout::LogoutPage,
    signed_out::SignedOutPage,
};
use crate::{
    config::Config,
    i18n::{I18n, Words},
};

/// What every page shows around its content.
#[derive(Clone, Copy)]
pub(crate) struct Frame<'a> {
    /// The sentences, in the reader's language.
    pub(crate) words: Words<'a>,
    /// What this place is called (`pages.product_name`).
    pub(crate) product: &'a str,
    /// Host and port of the issuer: where the reader really is.
    pub(crate) place: &'a str,
    style_href: &'static str,
    mark_href: &'static str,
}

impl<'a> Frame<'a> {
    pub(crate) fn new(words: Words<'a>, product: &'a str, place: &'a str) -> Self {
        Self { words, product, place, style_href: assets::STYLE.href(), mark_href: assets::MARK.href() }
    }
}

/// The frame for whoever sends this request, in their language.
pub(crate) fn frame<'a>(i18n: &'a I18n, config: &'a Config, request: &HttpRequest, ui_locales: Option<&str>) -> Frame<'a> {
    let accepted = request.headers().get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok());
    Frame::new(i18n.words(i18n.choose(ui_locales, accepted)), &config.pages.product_name, config.issuer.authority())
}

/// Where the forms of a page may lead, redirects after the POST included.
///
/// Chromium applies `form-action` to the redirect that answers a form, so a page whose answer goes to a client must name that
/// client's address: the one that was proven, and no more of it than its origin or scheme.
#[derive(Clone, Copy)]
pub(crate) enum FormsLeadTo<'a> {
    /// The page has no form.
    Nowhere,
    /// Only back to us.
    Ourselves,
    /// To us, and from there to the client.
    Client(&'a RedirectUri),
}

impl FormsLeadTo<'_> {
    fn directive(self) -> String {
        match self {
            Self::Nowhere => "form-action 'none'".to_owned(),
            Self::Ourselves => "form-action 'self'".to_owned(),
            Self::Client(uri) => format!("form-action 'self' {}", form_source(uri)),
        }
    }
}

/// The CSP source expression for a redirect URI: its origin, or its scheme when it has none that CSP can write.
fn form_source(uri: &RedirectUri) -> String {
    let origin =
        url::Url::parse(uri.as_str()).ok().map(|url| url.origin()).filter(url::Origin::is_tuple).map(|origin| origin.ascii_serialization());
    match (uri.kind(), origin) {
        // CSP3 §2.3.1: host-source has no IPv6 literal, so `[::1]` can only be named by its scheme.
        (RedirectKind::Https | RedirectKind::Loopback, Some(origin)) if !origin.contains('[') => origin,
        _ => format!("{}:", uri.scheme()),
    }
}

/// A page as an answer, with the headers that every page has.
pub(crate) fn answer(status: StatusCode, frame: &Frame<'_>, page: &impl Template, forms: FormsLeadTo<'_>) -> HttpResponse {
    let policy =
        format!("default-src 'none'; style-src 'self'; img-src 'self'; {}; frame-ancestors 'none'; base-uri 'none'", forms.directive());
    let html = page.render().unwrap_or_else(|problem| {
        // The templates write into a String and call nothing that fails; a reader still deserves a status over a panic.
        tracing::error!(event = "page.failed", error = %problem, "could not render a page");
        String::new()
    });
    HttpResponse::build(if html.is_empty() { StatusCode::INTERNAL_SERVER_ERROR } else { status })
        .insert_header((header::CONTENT_TYPE, "text/html; charset=utf-8"))
        .insert_header((header::CONTENT_LANGUAGE, frame.words.tag()))
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .insert_header((header::CONTENT_SECURITY_POLICY, policy))
        .insert_header((header::X_FRAME_OPTIONS, "DENY"))
        .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .insert_header((header::REFERRER_POLICY, "no-referrer"))
        .insert_header(("cross-origin-opener-policy", "same-origin"))
        .body(html)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::i18n::{I18n, Language};

    /// Every page in every state that a person can meet, rendered.
    fn every_sample(frame: Frame<'_>) -> Vec<(String, String)> {
        let mut rendered = Vec::new();
        let mut add = |name: &str, html: askama::Result<String>| rendered.push((name.to_owned(), html.expect("a sample renders")));
        consent::samples(frame).iter().for_each(|(name, page)| add(name, page.render()));
        error::samples(frame).iter().for_each(|(name, page)| add(name, page.render()));
        logout::samples(frame).iter().for_each(|(name, page)| add(name, page.render()));
        home::samples(frame).iter().for_each(|(name, page)| add(name, page.render()));
        add("answered", AnsweredPage { frame }.render());
        add("signed_out", SignedOutPage { frame }.render());
        rendered
    }

    fn in_every_language(mut look: impl FnMut(Language, &str, &str)) {
        let i18n = I18n::new(Language::En).expect("the locale files are Fluent");
        for language in Language::ALL {
            let frame = Frame::new(i18n.words(language), "Portico", "mcp.example.com");
            for (name, html) in every_sample(frame) {
                look(language, &name, &html);
            }
        }
    }

    #[test]
    fn every_page_says_every_sentence_in_every_language() {
        in_every_language(|language, name, html| {
            assert!(!html.contains('⟨'), "`{name}` in `{}` lacks a sentence: {html}", language.tag());
            assert!(html.contains(&format!("<html lang=\"{}\">", language.tag())));
        });
    }

    #[test]
    fn every_page_looks_as_it_did() {
        in_every_language(|language, name, html| {
            // The addresses of style and mark carry hashes; a change of the style is not a change of the page.
            let html = html.replace(assets::STYLE.href(), "/assets/style.css").replace(assets::MARK.href(), "/assets/mark.svg");
            insta::assert_snapshot!(format!("{name}.{}", language.tag()), html);
        });
    }

    /// Attacks 8 and 56: no script, no inline style, nothing from elsewhere, no unlabelled control.
    #[test]
    fn no_page_holds_script_or_inline_style_or_a_foreign_address_to_load() {
        in_every_language(|_, name, html| {
            for forbidden in ["<script", " style=", "<style", " onclick", "javascript:", "src=\"http", "@import"] {
                assert!(!html.contains(forbidden), "`{name}` holds `{forbidden}`");
            }
            for control in html.split("<input ").skip(1).filter(|rest| !rest.starts_with("type=\"hidden\"")) {
                let id = control.split("id=\"").nth(1).and_then(|rest| rest.split('"').next()).expect("a visible control has an id");
                assert!(html.contains(&format!("<label for=\"{id}\">")), "`{id}` on `{name}` has no label");
            }
            assert_eq!(html.matches("<h1>").count(), 1, "`{name}` has one first heading");
        });
    }

    /// Attack 8: askama escapes by the file ending; `|safe` would undo it.
    #[test]
    fn no_template_marks_text_as_safe() {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../templates");
        let mut seen = 0;
        for folder in ["", "pages", "components"] {
            for entry in std::fs::read_dir(root.join(folder)).expect("templates are there").flatten() {
                let path = entry.path();
                if path.extension().is_some_and(|ending| ending == "html") {
                    let text = std::fs::read_to_string(&path).expect("a template is text");
                    assert!(!text.contains("safe") && !text.contains("escape"), "{} switches escaping off", path.display());
                    seen += 1;
                }
            }
        }
        assert!(seen >= 10, "the walk finds the templates");
    }

    /// Attack 7: nobody frames a page; attack 56: no Referer.
    #[test]
    fn a_page_may_not_be_framed_kept_or_given_away_as_a_referrer() {
        let i18n = I18n::new(Language::En).expect("the locale files are Fluent");
        let frame = Frame::new(i18n.words(Language::En), "Portico", "mcp.example.com");
        let response = answer(StatusCode::OK, &frame, &SignedOutPage { frame }, FormsLeadTo::Nowhere);
        let said = |name: &str| response.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
        assert!(said("content-security-policy").contains("frame-ancestors 'none'"));
        assert!(said("content-security-policy").contains("form-action 'none'"));
        assert!(!said("content-security-policy").contains("unsafe"));
        assert_eq!(said("x-frame-options"), "DENY");
        assert_eq!(said("referrer-policy"), "no-referrer");
        assert_eq!(said("cache-control"), "no-store");
    }

    #[test]
    fn a_form_may_lead_to_the_clients_origin_and_no_further() {
        let source = |text: &str| form_source(&RedirectUri::parse(text).expect("a redirect URI"));
        assert_eq!(source("https://claude.ai/api/mcp/auth_callback"), "https://claude.ai");
        assert_eq!(source("https://app.example:8443/cb?x=1;y"), "https://app.example:8443");
        assert_eq!(source("http://localhost:3118/callback"), "http://localhost:3118");
        assert_eq!(source("http://127.0.0.1:33418/"), "http://127.0.0.1:33418");
        assert_eq!(source("http://[::1]:33418/"), "http:");
        assert_eq!(source("cursor://anysphere.cursor-mcp/oauth/callback"), "cursor:");
    }
}
