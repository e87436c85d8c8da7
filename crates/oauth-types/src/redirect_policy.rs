//! The callbacks, schemes and names that well-known clients use: the data of the redirect policy, without the operator's decisions.
//!
//! What these clients really send, and what nobody else may claim. A callback that stands here is one that a person can be told the
//! owner of; any other https host is a stranger's. The operator edits what is allowed; this list only knows.

use crate::{RedirectKind, RedirectUri};

/// A callback of a hosted client, whose owner is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PinnedCallback {
    /// Whose it is, as people know them.
    pub owner: &'static str,
    /// The whole URI; when `opaque_segment` is set, everything up to the one segment that the client chooses.
    pub uri: &'static str,
    /// Does one more path segment, of the client's own choice, follow?
    pub opaque_segment: bool,
}

const fn exact(owner: &'static str, uri: &'static str) -> PinnedCallback {
    PinnedCallback { owner, uri, opaque_segment: false }
}

/// The hosted callbacks that are accepted out of the box.
pub const PINNED_CALLBACKS: &[PinnedCallback] = &[
    exact("Claude", "https://claude.ai/api/mcp/auth_callback"),
    exact("Claude", "https://claude.com/api/mcp/auth_callback"),
    exact("ChatGPT", "https://chatgpt.com/connector_platform_oauth_redirect"),
    PinnedCallback { owner: "ChatGPT", uri: "https://chatgpt.com/connector/oauth/", opaque_segment: true },
    // Still sent by connections that were made before the stable address.
    exact("ChatGPT", "https://chatgpt.com/backend-api/aip/connectors/links/oauth/callback"),
    exact("Visual Studio Code", "https://vscode.dev/redirect"),
    exact("Visual Studio Code", "https://insiders.vscode.dev/redirect"),
    exact("Cursor", "https://www.cursor.com/agents/mcp/oauth/callback"),
    exact("Antigravity", "https://antigravity.google/oauth-callback"),
];

/// Private-use schemes that are allowed unless the operator says otherwise.
pub const DEFAULT_PRIVATE_USE_SCHEMES: &[&str] = &["cursor"];

/// Private-use schemes that known clients use, for an operator to choose from.
pub const CANDIDATE_PRIVATE_USE_SCHEMES: &[&str] = &["vscode", "vscode-insiders", "jetbrains"];

/// A name that people trust, and where its owner's callbacks are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Brand {
    /// The name in small letters.
    pub name: &'static str,
    /// Hosts of its owner; a host under one of them is the owner's too.
    pub hosts: &'static [&'static str],
    /// Private-use schemes of its owner.
    pub schemes: &'static [&'static str],
}

/// Names that a client may only use when it comes back to their owner. Programs on the person's own machine may use them too: any
/// of them can, whatever it is called, so the consent page warns about these in another way.
pub const PROTECTED_BRANDS: &[Brand] = &[
    Brand { name: "claude", hosts: &["claude.ai", "claude.com", "anthropic.com"], schemes: &["claude"] },
    Brand { name: "anthropic", hosts: &["claude.ai", "claude.com", "anthropic.com"], schemes: &["claude"] },
    Brand { name: "chatgpt", hosts: &["chatgpt.com", "openai.com"], schemes: &["chatgpt"] },
    Brand { name: "openai", hosts: &["chatgpt.com", "openai.com"], schemes: &["chatgpt"] },
    Brand { name: "visual studio code", hosts: &["vscode.dev", "visualstudio.com"], schemes: &["vscode", "vscode-insiders"] },
    Brand { name: "vscode", hosts: &["vscode.dev", "visualstudio.com"], schemes: &["vscode", "vscode-insiders"] },
    Brand { name: "copilot", hosts: &["github.com", "microsoft.com", "vscode.dev"], schemes: &["vscode", "vscode-insiders"] },
    Brand { name: "gemini", hosts: &["google.com", "antigravity.google"], schemes: &[] },
    Brand { name: "antigravity", hosts: &["google.com", "antigravity.google"], schemes: &["antigravity"] },
    Brand { name: "cursor", hosts: &["cursor.com", "cursor.sh"], schemes: &["cursor"] },
];

/// The pinned callback that this URI is, if it is one.
pub fn pinned_callback(uri: &RedirectUri) -> Option<&'static PinnedCallback> {
    PINNED_CALLBACKS.iter().find(|pinned| pinned.is(uri))
}

impl PinnedCallback {
    fn is(&self, uri: &RedirectUri) -> bool {
        match uri.as_str().strip_prefix(self.uri) {
            Some("") => !self.opaque_segment,
            Some(segment) => self.opaque_segment && is_opaque_segment(segment),
            None => false,
        }
    }
}

/// One segment of letters, digits, `-` and `_`: no slash, no dot, no percent sign, no query, so that it names nothing but itself.
fn is_opaque_segment(segment: &str) -> bool {
    (1..=128).contains(&segment.len()) && segment.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

/// The protected brand that a client of this name and these callbacks pretends to be; `None` when it pretends nothing.
pub fn impersonated_brand(client_name: &str, callbacks: &[RedirectUri]) -> Option<&'static Brand> {
    let words = plain_words(client_name);
    PROTECTED_BRANDS.iter().filter(|brand| has_words(&words, brand.name)).find(|brand| callbacks.iter().any(|uri| !brand.owns(uri)))
}

impl Brand {
    fn owns(&self, uri: &RedirectUri) -> bool {
        let host_is_theirs =
            |host: &str| self.hosts.iter().any(|own| host == *own || host.strip_suffix(own).is_some_and(|sub| sub.ends_with('.')));
        match uri.kind() {
            RedirectKind::Https => uri.host().is_some_and(host_is_theirs),
            RedirectKind::PrivateUse => self.schemes.contains(&uri.scheme()),
            RedirectKind::Loopback => true,
        }
    }
}

/// The name as an eye reads it: small letters, common look-alikes undone, everything that is no letter or digit a space.
fn plain_words(name: &str) -> String {
    let plain: String = name
        .chars()
        .flat_map(char::to_lowercase)
        .map(|character| match character {
            'а' | 'à' | 'á' | 'â' | 'ä' | 'ɑ' | '@' => 'a',
            'с' | 'ç' | 'ϲ' => 'c',
            'ԁ' => 'd',
            'е' | 'è' | 'é' | 'ê' | 'ë' => 'e',
            'һ' => 'h',
            'і' | 'ı' | 'í' | 'ì' | 'ï' | 'ⅰ' => 'i',
            'ӏ' | 'ⅼ' | '|' => 'l',
            'о' | 'ο' | 'ó' | 'ò' | 'ö' => 'o',
            'р' | 'ρ' => 'p',
            'ѕ' => 's',
            'т' | 'τ' => 't',
            'υ' | 'ü' | 'ú' => 'u',
            'ѵ' | 'ν' => 'v',
            other if other.is_alphanumeric() => other,
            _ => ' ',
        })
        .collect();
    plain.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Does the name hold these words, as words? `Precursor` is not `Cursor`.
fn has_words(name: &str, words: &str) -> bool {
    format!(" {name} ").contains(&format!(" {words} "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uri(text: &str) -> RedirectUri {
        RedirectUri::parse(text).unwrap()
    }

    #[test]
    fn every_pinned_callback_is_one_that_can_be_registered() {
        for pinned in PINNED_CALLBACKS {
            let text = if pinned.opaque_segment { format!("{}aB3-_x", pinned.uri) } else { pinned.uri.to_owned() };
            assert_eq!(pinned_callback(&uri(&text)), Some(pinned), "{text}");
        }
    }

    #[test]
    fn what_only_looks_like_a_pinned_callback_is_a_strangers() {
        for text in [
            "https://claude.ai/api/mcp/auth_callback/",
            "https://claude.ai/api/mcp/auth_callback2",
            "https://claude.ai/api/mcp/auth_callback?x=1",
            "https://claude.ai/api/mcp/Auth_callback",
            "https://claude.ai.evil.example/api/mcp/auth_callback",
            "https://claude.ai:8443/api/mcp/auth_callback",
            "https://chatgpt.com/connector/oauth/",
            "https://chatgpt.com/connector/oauth/a/b",
            "https://chatgpt.com/connector/oauth/a?b",
            "https://chatgpt.com/connector/oauth/a.b",
            "https://chatgpt.com/connector/oauth/a%20b",
        ] {
            assert_eq!(pinned_callback(&uri(text)), None, "{text}");
        }
    }

    /// Attack 9: a client that is called like a well-known product and comes back to somebody else.
    #[test]
    fn a_protected_name_needs_its_owners_callback() {
        let evil = [uri("https://evil.example/cb")];
        for name in ["Claude", "claude  code", "CLAUDE.AI", "Сlаudе", "The ChatGPT connector", "Visual-Studio-Code", "OpenAI", "Cursor"]
        {
            assert!(impersonated_brand(name, &evil).is_some(), "{name}");
        }
        for name in ["Precursor", "My notes", "Claudette", "Geminids", ""] {
            assert_eq!(impersonated_brand(name, &evil), None, "{name}");
        }
        assert!(impersonated_brand("Claude", &[uri("https://claude.ai.evil.example/cb")]).is_some());
        assert!(impersonated_brand("Claude", &[uri("https://evilclaude.ai/cb")]).is_some());
        assert!(impersonated_brand("Claude", &[uri("https://claude.ai/api/mcp/auth_callback"), uri("https://evil.example/cb")]).is_some());
    }

    #[test]
    fn the_owner_and_programs_on_the_machine_may_use_the_name() {
        assert_eq!(impersonated_brand("Claude", &[uri("https://claude.ai/api/mcp/auth_callback")]), None);
        assert_eq!(impersonated_brand("Claude Code", &[uri("http://localhost/callback"), uri("http://127.0.0.1/callback")]), None);
        let cursor = [
            "cursor://anysphere.cursor-mcp/oauth/callback",
            "https://www.cursor.com/agents/mcp/oauth/callback",
            "http://localhost:8787/callback",
        ];
        assert_eq!(impersonated_brand("Cursor", &cursor.map(uri)), None);
        let code = ["https://insiders.vscode.dev/redirect", "https://vscode.dev/redirect", "http://127.0.0.1/", "http://127.0.0.1:33418/"];
        assert_eq!(impersonated_brand("Visual Studio Code", &code.map(uri)), None);
    }
}
