//! What people see: one struct a page, the template of the same name in `templates/pages/`.
//!
//! A page struct holds what is shown, already decided; every sentence comes from `templates/locales/`. Pages need no script and
//! load nothing from elsewhere. This module owns what they show and the two files they load; it knows no flow and no store.

mod answered;
pub(crate) mod assets;
mod choice;
pub(crate) mod consent;
mod error;
mod home;
mod leaving;
mod logout;
mod signed_out;

use actix_web::{
    HttpRequest, HttpResponse,
    http::{
        StatusCode,
        header::{self, HeaderValue},
    },
};
use askama::Template;
use oauth_types::RedirectUri;

pub(crate) use self::{
    answered::AnsweredPage,
    choice::{ChoicePage, WayLine},
    error::{ErrorPage, Story},
    home::{HomePage, HomeSession, ResourceLine},
    leaving::LeavingPage,
    logout::LogoutPage,
    signed_out::SignedOutPage,
};
use crate::{
    config::Config,
    http::{headers::policy_leading_to, reply},
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

/// A page as an answer. Its protecting headers come with the route; only what its form may lead to is said here: Chromium holds
/// `form-action` against the redirect that answers a form, so a page whose answer goes to a client must name that client's address.
pub(crate) fn answer(status: StatusCode, frame: &Frame<'_>, page: &impl Template, leads_to: Option<&RedirectUri>) -> HttpResponse {
    let html = page.render().unwrap_or_else(|problem| {
        // The templates write into a String and call nothing that fails; a reader still deserves a status over a panic.
        tracing::error!(event = "page.failed", error = %problem, "could not render a page");
        String::new()
    });
    let mut response = reply::page(if html.is_empty() { StatusCode::INTERNAL_SERVER_ERROR } else { status }, html);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_LANGUAGE, HeaderValue::from_static(frame.words.tag()));
    if let Some(client) = leads_to {
        headers.insert(header::CONTENT_SECURITY_POLICY, policy_leading_to(client));
    }
    response
}

/// Lets a page lead on by itself, as its link does: the header that a `meta` refresh stands for (HTML Living Standard §4.2.5.3).
pub(crate) fn lead_to(response: &mut HttpResponse, href: &str) {
    if let Ok(value) = HeaderValue::try_from(format!("0; url={href}")) {
        response.headers_mut().insert(header::REFRESH, value);
    }
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
        choice::samples(frame).iter().for_each(|(name, page)| add(name, page.render()));
        leaving::samples(frame).iter().for_each(|(name, page)| add(name, page.render()));
        logout::samples(frame).iter().for_each(|(name, page)| add(name, page.render()));
        home::samples(frame).iter().for_each(|(name, page)| add(name, page.render()));
        add("answered", AnsweredPage { frame }.render());
        signed_out::samples(frame).iter().for_each(|(name, page)| add(name, page.render()));
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

    #[test]
    fn a_page_whose_form_ends_at_a_client_says_so_and_no_other_page_does() {
        let i18n = I18n::new(Language::En).expect("the locale files are Fluent");
        let frame = Frame::new(i18n.words(Language::De), "Portico", "mcp.example.com");
        let policy = |leads_to: Option<&RedirectUri>| {
            let response = answer(StatusCode::OK, &frame, &SignedOutPage::new(frame, None), leads_to);
            assert_eq!(response.headers().get("content-language").and_then(|tag| tag.to_str().ok()), Some("de"));
            response.headers().get("content-security-policy").and_then(|policy| policy.to_str().ok()).map(str::to_owned)
        };
        let client = RedirectUri::parse("https://claude.ai/api/mcp/auth_callback").expect("a redirect URI");
        assert!(policy(Some(&client)).is_some_and(|policy| policy.ends_with("form-action 'self' https://claude.ai")));
        assert_eq!(policy(None), None, "the route's own policy stands");
    }
}
