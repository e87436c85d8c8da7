//! Languages: which one a person reads, and what a sentence says in it.
//!
//! Owns the locale files (`templates/locales/*.ftl`, compiled in) and the choice of a language: OpenID Connect Core
//! §3.1.2.1 (`ui_locales`), then RFC 9110 §12.5.4 (`Accept-Language`), then the server's default. It knows no page.

use std::fmt;

use fluent_bundle::{FluentArgs, FluentResource, concurrent::FluentBundle};
use serde::{Deserialize, Serialize};
use unic_langid::LanguageIdentifier;

/// How many entries of a language list are looked at: a browser sends a handful, and the list is a stranger's.
const PREFERENCES_MAX: usize = 16;

/// A sentence that cannot be said is shown between these marks, so that a test finds it and a person can report it.
const MISSING: (char, char) = ('⟨', '⟩');

/// A language Portico speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Language {
    /// English.
    #[default]
    En,
    /// German.
    De,
}

impl Language {
    /// Every language, in the order of the bundles.
    pub(crate) const ALL: [Self; 2] = [Self::En, Self::De];

    /// The BCP 47 tag, as `lang` and `Content-Language` want it.
    pub(crate) const fn tag(self) -> &'static str {
        match self {
            Self::En => "en",
            Self::De => "de",
        }
    }

    /// The language a tag asks for, by its primary subtag: `de-AT` is served in German.
    pub(crate) fn of_tag(tag: &str) -> Option<Self> {
        let primary = tag.split(['-', '_']).next().unwrap_or_default();
        Self::ALL.into_iter().find(|language| language.tag().eq_ignore_ascii_case(primary))
    }

    /// Chooses plural forms and number formats; an unreadable tag would fall back to those of no language.
    fn identifier(self) -> LanguageIdentifier {
        self.tag().parse().unwrap_or_default()
    }

    const fn sentences(self) -> &'static str {
        match self {
            Self::En => include_str!("../../templates/locales/en.ftl"),
            Self::De => include_str!("../../templates/locales/de.ftl"),
        }
    }
}

/// A locale file that Fluent cannot read; found at start, never later.
#[derive(Debug, thiserror::Error)]
#[error("could not read the sentences of language `{0}`")]
pub(crate) struct UnreadableLocale(&'static str);

/// Every sentence in every language.
pub(crate) struct I18n {
    bundles: Vec<FluentBundle<FluentResource>>,
    fallback: Language,
}

impl fmt::Debug for I18n {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("I18n").field("fallback", &self.fallback).finish_non_exhaustive()
    }
}

impl I18n {
    /// Reads the sentences that were compiled in; `fallback` is spoken to people who ask for nothing we know.
    ///
    /// # Errors
    /// When a locale file is not Fluent; a test reads every file, so a release cannot meet this.
    pub(crate) fn new(fallback: Language) -> Result<Self, UnreadableLocale> {
        let bundles = Language::ALL.into_iter().map(bundle).collect::<Result<_, _>>()?;
        Ok(Self { bundles, fallback })
    }

    /// The language for a person: what the client asked for them, else what their browser says, else the default.
    pub(crate) fn choose(&self, ui_locales: Option<&str>, accept_language: Option<&str>) -> Language {
        let asked = ui_locales.and_then(|tags| tags.split(' ').take(PREFERENCES_MAX).find_map(Language::of_tag));
        asked.or_else(|| accept_language.and_then(best_accepted)).unwrap_or(self.fallback)
    }

    /// The words of one language.
    pub(crate) fn words(&self, language: Language) -> Words<'_> {
        Words { i18n: self, language }
    }

    fn bundle(&self, language: Language) -> &FluentBundle<FluentResource> {
        &self.bundles[language as usize]
    }
}

fn bundle(language: Language) -> Result<FluentBundle<FluentResource>, UnreadableLocale> {
    let unreadable = UnreadableLocale(language.tag());
    let Ok(sentences) = FluentResource::try_new(language.sentences().to_owned()) else { return Err(unreadable) };
    let mut bundle = FluentBundle::new_concurrent(vec![language.identifier()]);
    // Isolation marks would put invisible characters around names; the templates use <bdi> instead.
    bundle.set_use_isolating(false);
    bundle.add_resource(sentences).map_err(|_| unreadable)?;
    Ok(bundle)
}

/// RFC 9110 §12.5.4: the highest weight wins; among equals the first; weight 0 means "not this one".
fn best_accepted(header: &str) -> Option<Language> {
    let weighted = header.split(',').take(PREFERENCES_MAX).filter_map(|entry| {
        let mut parts = entry.split(';').map(str::trim);
        let language = Language::of_tag(parts.next()?)?;
        let weight = match parts.find_map(|part| part.strip_prefix("q=")) {
            Some(text) => text.parse::<f32>().ok().filter(|weight| (0.0..=1.0).contains(weight))?,
            None => 1.0,
        };
        (weight > 0.0).then_some((language, weight))
    });
    weighted.reduce(|best, next| if next.1 > best.1 { next } else { best }).map(|(language, _)| language)
}

/// The voice of one page: every sentence in one language.
#[derive(Clone, Copy)]
pub(crate) struct Words<'a> {
    i18n: &'a I18n,
    language: Language,
}

impl Words<'_> {
    /// The tag for `<html lang>`.
    pub(crate) fn tag(&self) -> &'static str {
        self.language.tag()
    }

    /// A sentence without variable parts.
    pub(crate) fn say(&self, key: &str) -> String {
        self.say_with(key, &[])
    }

    /// A sentence with its variable parts. The result is text, not HTML: the template escapes it.
    pub(crate) fn say_with(&self, key: &str, parts: &[(&str, &str)]) -> String {
        let said = self.look_up(key, parts);
        said.unwrap_or_else(|| {
            tracing::error!(event = "sentence.missing", key, language = self.tag(), "no sentence `{key}` in `{}`", self.tag());
            format!("{}{key}{}", MISSING.0, MISSING.1)
        })
    }

    /// A sentence that need not exist, such as the description of a scope that the operator invented.
    pub(crate) fn say_if_known(&self, key: &str) -> Option<String> {
        self.look_up(key, &[])
    }

    fn look_up(&self, key: &str, parts: &[(&str, &str)]) -> Option<String> {
        let bundle = self.i18n.bundle(self.language);
        let pattern = bundle.get_message(key)?.value()?;
        let mut arguments = FluentArgs::with_capacity(parts.len());
        for (name, value) in parts {
            arguments.set(*name, *value);
        }
        let mut problems = Vec::new();
        let said = bundle.format_pattern(pattern, Some(&arguments), &mut problems).into_owned();
        problems.is_empty().then_some(said)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn i18n() -> I18n {
        I18n::new(Language::En).expect("the locale files are Fluent")
    }

    fn keys(language: Language) -> BTreeSet<String> {
        let lines = language.sentences().lines();
        lines
            .filter(|line| line.starts_with(|c: char| c.is_ascii_alphabetic()))
            .filter_map(|line| line.split_once(" ="))
            .map(|(key, _)| key.to_owned())
            .collect()
    }

    #[test]
    fn every_tag_is_one_that_unicode_knows() {
        for language in Language::ALL {
            assert_eq!(language.identifier().to_string(), language.tag());
        }
    }

    #[test]
    fn every_language_has_the_same_sentences() {
        for language in Language::ALL {
            let missing: Vec<_> = keys(Language::En).symmetric_difference(&keys(language)).cloned().collect();
            assert!(missing.is_empty(), "`{}` and `en` differ in {missing:?}", language.tag());
        }
        assert!(keys(Language::En).len() > 30, "the key reader finds the sentences at all");
    }

    #[test]
    fn every_sentence_names_the_same_parts_in_every_language() {
        let parts = |text: &str| -> BTreeSet<String> {
            text.split("{ $").skip(1).filter_map(|rest| rest.split([' ', '}']).next()).map(str::to_owned).collect()
        };
        let line = |language: Language, key: &str| {
            let head = format!("{key} =");
            language.sentences().lines().find(|line| line.starts_with(&head)).unwrap_or_default().to_owned()
        };
        for key in keys(Language::En) {
            for language in Language::ALL {
                assert_eq!(parts(&line(Language::En, &key)), parts(&line(language, &key)), "`{key}` in `{}`", language.tag());
            }
        }
    }

    #[test]
    fn a_missing_sentence_is_shown_as_missing_and_a_known_one_is_not() {
        let i18n = i18n();
        assert_eq!(i18n.words(Language::En).say("no-such-sentence"), "⟨no-such-sentence⟩");
        assert_eq!(i18n.words(Language::En).say("allow"), "Allow");
        assert_eq!(i18n.words(Language::De).say("allow"), "Zulassen");
    }

    #[test]
    fn a_sentence_without_its_variable_part_counts_as_missing() {
        assert_eq!(i18n().words(Language::En).say("consent-title"), "⟨consent-title⟩");
    }

    /// OpenID Connect Core §3.1.2.1: `ui_locales` is the client's word for its person and goes first.
    #[test]
    fn ui_locales_goes_before_the_browser_and_the_browser_before_the_default() {
        let i18n = i18n();
        assert_eq!(i18n.choose(Some("fr de-AT en"), Some("en")), Language::De);
        assert_eq!(i18n.choose(Some("fr"), Some("de")), Language::De);
        assert_eq!(i18n.choose(None, Some("fr, it")), Language::En);
        assert_eq!(i18n.choose(None, None), Language::En);
    }

    /// RFC 9110 §12.4.2 and §12.5.4: weights order the list, weight 0 excludes.
    #[test]
    fn accept_language_is_read_by_weight() {
        assert_eq!(best_accepted("en;q=0.4, de;q=0.9"), Some(Language::De));
        assert_eq!(best_accepted("de-CH,en;q=0.9"), Some(Language::De));
        assert_eq!(best_accepted("en,de"), Some(Language::En));
        assert_eq!(best_accepted("de;q=0, en;q=0.1"), Some(Language::En));
        assert_eq!(best_accepted("de;q=0"), None);
        assert_eq!(best_accepted("de;q=oops"), None);
        assert_eq!(best_accepted(&"fr,".repeat(5_000)), None);
    }
}
