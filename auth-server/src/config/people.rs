//! Who may enter, and with what: `[people]` and the `[[rule]]` tables.
//!
//! Owns how a rule is written and what is wrong with one; what a rule means for a person is `policy/people.rs`. A rule that can never
//! say anything, or a set of rules under which nobody could enter or grant anything, is a problem at start and not a surprise later.

use oauth_types::{IdpId, Scope};
use toml::{Table, Value};

use super::{Resource, UpstreamConfig, resolve::Reader};

/// Rules are written by hand and walked at each sign-in; more than this belongs into the identity provider's groups.
const RULES_MAX: usize = 1000;
/// The longest condition: a group's path in a directory.
const CONDITION_BYTES_MAX: usize = 512;
/// What a rule may ask about a person, in the order of the manual.
const CONDITIONS: [&str; 6] = ["idp", "subject", "mail_domain", "group", "organisation", "role"];

/// Who may enter, and with what.
#[derive(Debug, Clone, Default)]
pub struct PeopleConfig {
    /// May somebody enter about whom no rule speaks?
    pub default_allows: bool,
    /// The rules, in the order in which they were written.
    pub rules: Vec<Rule>,
}

/// One rule: for whom (all that is given must match; nothing given is everybody), and what it says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rule {
    /// Where they signed in.
    pub idp: Option<IdpId>,
    /// Who they are there; the user name for an account kept here.
    pub subject: Option<String>,
    /// The domain of their verified mail address, in small letters.
    pub mail_domain: Option<String>,
    /// A group of theirs.
    pub group: Option<String>,
    /// An organisation of theirs.
    pub organisation: Option<String>,
    /// A role of theirs.
    pub role: Option<String>,
    /// May they enter? `None`: this rule does not speak of it.
    pub enter: Option<bool>,
    /// What they may grant. `None`: this rule gives nothing.
    pub scopes: Option<Scope>,
}

/// What rules may name.
struct Known<'a> {
    upstreams: &'a [UpstreamConfig],
    resources: &'a [Resource],
}

impl Rule {
    /// Reads one row.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    fn read(row: &Table, known: &Known<'_>) -> Result<Self, Vec<String>> {
        let mut problems = Vec::new();
        let [idp, subject, mail_domain, group, organisation, role] = CONDITIONS.map(|name| condition(row, name, &mut problems));
        let rule = Self {
            idp: idp.and_then(|text| known.idp(&text, &mut problems)),
            subject,
            mail_domain: mail_domain.and_then(|text| domain(&text, &mut problems)),
            group,
            organisation,
            role,
            enter: enter(row, &mut problems),
            scopes: scopes(row, known, &mut problems),
        };
        let says_nothing = !row.contains_key("enter") && !row.contains_key("scopes");
        for (is_wrong, problem) in [
            (says_nothing, "says nothing: it needs enter or scopes"),
            (rule.enter == Some(false) && row.contains_key("scopes"), "shuts people out and gives them scopes: leave one of the two out"),
            // A name means one person only together with who gave it (OpenID Connect Core §5.7).
            (row.contains_key("subject") && !row.contains_key("idp"), "names a subject but no idp: two providers may use the same name"),
        ] {
            if is_wrong {
                problems.push(problem.to_owned());
            }
        }
        if problems.is_empty() { Ok(rule) } else { Err(problems) }
    }
}

impl PeopleConfig {
    /// What is wrong with the rules as a whole.
    fn problem(&self) -> Option<&'static str> {
        if self.default_allows {
            return None;
        }
        if !self.rules.iter().any(|rule| rule.enter == Some(true)) {
            return Some("is deny and no [[rule]] says enter = true, so nobody could enter");
        }
        let gives = |rule: &Rule| rule.scopes.as_ref().is_some_and(|scopes| !scopes.is_empty());
        if self.rules.iter().any(gives) { None } else { Some("is deny and no [[rule]] gives scopes, so nobody could be given anything") }
    }
}

impl Reader {
    /// The rules, with what is wrong with them noted.
    pub(super) fn people(&mut self, upstreams: &[UpstreamConfig], resources: &[Resource]) -> PeopleConfig {
        let known = Known { upstreams, resources };
        let default_allows = self.one_of("people.default", &["allow", "deny"]) == 0;
        let mut people = PeopleConfig { default_allows, rules: Vec::new() };
        let rows = self.rows("rule");
        if rows.len() > RULES_MAX {
            self.wrong("rule", format!("there are {} rules, more than {RULES_MAX}", rows.len()));
        }
        for (place, row) in rows.iter().enumerate() {
            match Rule::read(row, &known) {
                Ok(rule) => people.rules.push(rule),
                Err(problems) => problems.iter().for_each(|problem| self.wrong("rule", format!("rule {}: {problem}", place + 1))),
            }
        }
        // Of rules that do not read nothing can be said as a whole.
        if people.rules.len() == rows.len()
            && let Some(problem) = people.problem()
        {
            self.wrong("people.default", problem);
        }
        people
    }
}

impl Known<'_> {
    fn idp(&self, text: &str, problems: &mut Vec<String>) -> Option<IdpId> {
        let named = || self.upstreams.iter().map(|upstream| upstream.id.as_str()).chain([IdpId::LOCAL]);
        if !named().any(|name| name == text) {
            problems.push(format!("idp `{text}` is none of: {}", named().collect::<Vec<_>>().join(", ")));
            return None;
        }
        IdpId::parse(text).ok()
    }
}

fn condition(row: &Table, name: &str, problems: &mut Vec<String>) -> Option<String> {
    let value = row.get(name)?;
    match value.as_str() {
        Some(text) if !text.is_empty() && text.len() <= CONDITION_BYTES_MAX => return Some(text.to_owned()),
        // An empty condition would match nobody, or everybody, depending on who reads it.
        _ => problems.push(format!("{name} must be text of 1 to {CONDITION_BYTES_MAX} bytes")),
    }
    None
}

/// RFC 5321 §4.1.2: what stands behind the last `@`; names of domains have no case.
fn domain(text: &str, problems: &mut Vec<String>) -> Option<String> {
    let is_domain = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-".contains(&byte)) && text.contains('.');
    if !is_domain || text.starts_with('.') || text.ends_with('.') {
        problems.push(format!("mail_domain `{text}` must be a domain without @, as in example.com"));
        return None;
    }
    Some(text.to_ascii_lowercase())
}

fn enter(row: &Table, problems: &mut Vec<String>) -> Option<bool> {
    let value = row.get("enter")?;
    let truth = value.as_bool();
    if truth.is_none() {
        problems.push("enter must be true or false".to_owned());
    }
    truth
}

fn scopes(row: &Table, known: &Known<'_>, problems: &mut Vec<String>) -> Option<Scope> {
    let value = row.get("scopes")?;
    let words: Option<Vec<&str>> = value.as_array().and_then(|items| items.iter().map(Value::as_str).collect());
    let Some(words) = words else {
        problems.push("scopes must be a list of scopes".to_owned());
        return None;
    };
    for word in &words {
        if !known.resources.iter().any(|resource| resource.scopes.contains(word)) {
            problems.push(format!("scope `{word}` is offered by no [[resource]]"));
        }
    }
    Scope::parse(&words.join(" ")).map_err(|fault| problems.push(format!("scopes: {}", fault.explanation()))).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, Layers, Override, Problems, resolve};

    fn with(file: &str) -> Result<Config, Problems> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("portico.toml");
        std::fs::write(&path, file).unwrap();
        let data_dir = Override { key: "server.data_dir", value: folder.path().display().to_string().into(), flag: "--test" };
        resolve(Layers::gather(Some(&path), std::iter::empty(), [data_dir])?)
    }

    fn problems(file: &str) -> Vec<String> {
        with(file).expect_err("a mistake was accepted").0.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn everybody_may_enter_unless_the_operator_says_otherwise() {
        let people = with("").unwrap().people;
        assert!(people.default_allows && people.rules.is_empty());
    }

    #[test]
    fn rules_are_read_in_the_order_in_which_they_stand() {
        let config = with(
            "[people]\ndefault = \"deny\"\n\
             [[rule]]\nidp = \"local\"\nsubject = \"mallory\"\nenter = false\n\
             [[rule]]\nmail_domain = \"Example.COM\"\nenter = true\nscopes = [\"mcp:read\"]\n",
        )
        .unwrap();
        let [shut, let_in] = config.people.rules.as_slice() else { panic!("two rules") };
        assert_eq!((shut.enter, shut.subject.as_deref()), (Some(false), Some("mallory")));
        assert_eq!((let_in.mail_domain.as_deref(), let_in.scopes.as_ref().map(Scope::as_str)), (Some("example.com"), Some("mcp:read")));
    }

    #[test]
    fn what_is_wrong_with_rules_is_told_together_with_the_number_of_the_rule_and_the_file() {
        let told = problems(
            "[[rule]]\nidp = \"nobody\"\nenter = \"yes\"\n\
             [[rule]]\ngroup = \"\"\nscopes = [\"mcp:fly\"]\n\
             [[rule]]\nrole = \"x\"\n\
             [[rule]]\nsubject = \"x\"\nenter = true\n\
             [[rule]]\nmail_domain = \"a@example.com\"\nenter = false\nscopes = []\n",
        );
        for (number, part) in [
            ("rule 1", "idp `nobody` is none of: local"),
            ("rule 1", "enter must be true or false"),
            ("rule 2", "group must be text"),
            ("rule 2", "scope `mcp:fly` is offered by no [[resource]]"),
            ("rule 3", "says nothing"),
            ("rule 4", "names a subject but no idp"),
            ("rule 5", "mail_domain `a@example.com`"),
            ("rule 5", "shuts people out and gives them scopes"),
        ] {
            let is_told = told.iter().any(|line| line.contains(number) && line.contains(part) && line.contains("portico.toml"));
            assert!(is_told, "{number}: {part}\n{told:#?}");
        }
    }

    #[test]
    fn an_unknown_condition_is_a_problem_and_not_a_rule_for_everybody() {
        assert!(problems("[[rule]]\ngroups = \"staff\"\nenter = true\n")[0].contains("no setting `groups` here"));
    }

    #[test]
    fn rules_under_which_nobody_could_do_anything_are_a_problem() {
        let deny = "[people]\ndefault = \"deny\"\n";
        assert!(problems(deny)[0].contains("nobody could enter"));
        assert!(problems(&format!("{deny}[[rule]]\nscopes = [\"mcp:read\"]\n"))[0].contains("nobody could enter"));
        assert!(problems(&format!("{deny}[[rule]]\nenter = true\n"))[0].contains("nobody could be given anything"));
        assert!(with(&format!("{deny}[[rule]]\nenter = true\nscopes = [\"mcp:read\"]\n")).is_ok());
    }
}
