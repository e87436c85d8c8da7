//! What is known about the clients of today: where they call back to, and which names are theirs. Data first, then how it is read.
//!
//! Known callbacks are compared as text, like every redirect URI. Names are compared by how they look to a person (attack 9): a
//! stranger who calls itself Claude and calls back to a host of its own is a phisher or a mistake, and both are refused.

use std::sync::LazyLock;

use oauth_types::{MetadataFault, RedirectKind, RedirectUri};
use url::{Host, Url};

/// Callbacks of hosted clients, from their vendors' documentation and observation.
const KNOWN_CALLBACKS: [&str; 9] = [
    "https://claude.ai/api/mcp/auth_callback",
    "https://claude.com/api/mcp/auth_callback",
    "https://chatgpt.com/connector_platform_oauth_redirect",
    // Plugins and connectors made before the stable callback.
    "https://chatgpt.com/backend-api/aip/connectors/links/oauth/callback",
    "https://chat.openai.com/backend-api/aip/connectors/links/oauth/callback",
    "https://vscode.dev/redirect",
    "https://insiders.vscode.dev/redirect",
    "https://www.cursor.com/agents/mcp/oauth/callback",
    "https://antigravity.google/oauth-callback",
];

/// ChatGPT's callback per connector: one opaque segment follows.
const KNOWN_CALLBACK_PREFIX: &str = "https://chatgpt.com/connector/oauth/";

/// A product's name, and the hosts that may use it.
struct Brand {
    /// As it reads without spaces, signs and case.
    name: &'static str,
    /// A word of everyday language protects only itself, a made-up one also everything that contains it.
    is_everyday_word: bool,
    hosts: &'static [&'static str],
}

const ANTHROPIC: &[&str] = &["claude.ai", "claude.com", "anthropic.com"];
const OPENAI: &[&str] = &["chatgpt.com", "openai.com"];
const MICROSOFT: &[&str] = &["vscode.dev", "visualstudio.com", "microsoft.com", "github.com"];
const CURSOR: &[&str] = &["cursor.com", "cursor.sh"];
const GOOGLE: &[&str] = &["google.com", "antigravity.google"];

const BRANDS: [Brand; 11] = [
    Brand { name: "claude", is_everyday_word: false, hosts: ANTHROPIC },
    Brand { name: "anthropic", is_everyday_word: false, hosts: ANTHROPIC },
    Brand { name: "chatgpt", is_everyday_word: false, hosts: OPENAI },
    Brand { name: "openai", is_everyday_word: false, hosts: OPENAI },
    Brand { name: "visualstudiocode", is_everyday_word: false, hosts: MICROSOFT },
    Brand { name: "vscode", is_everyday_word: false, hosts: MICROSOFT },
    Brand { name: "githubcopilot", is_everyday_word: false, hosts: MICROSOFT },
    Brand { name: "copilot", is_everyday_word: true, hosts: MICROSOFT },
    Brand { name: "cursor", is_everyday_word: true, hosts: CURSOR },
    Brand { name: "gemini", is_everyday_word: true, hosts: GOOGLE },
    Brand { name: "antigravity", is_everyday_word: true, hosts: GOOGLE },
];

/// Letters of other alphabets, digits and signs that a person reads as the letter before them. `i` and `l` count as one letter.
const LOOKALIKES: [(char, &str); 21] = [
    ('a', "аɑαàáâãäåāăą4@"),
    ('b', "вЬ"),
    ('c', "сϲçćč"),
    ('d', "ԁď"),
    ('e', "еєèéêëēėęě3"),
    ('g', "ɡğģ"),
    ('h', "һн"),
    ('k', "кκ"),
    ('l', "iіӏιıìíîïīłļ1|!"),
    ('j', "ј"),
    ('m', "м"),
    ('n', "ոñńň"),
    ('o', "оοօòóôõöøō0"),
    ('p', "рρ"),
    ('r', "гŕř"),
    ('s', "ѕśš5$"),
    ('t', "тτţť"),
    ('u', "υսùúûüūů"),
    ('v', "ν"),
    ('x', "хχ"),
    ('y', "уýÿ"),
];

/// Is this the callback of a client that we know?
pub(super) fn is_known_callback(uri: &RedirectUri) -> bool {
    let text = uri.as_str();
    let is_segment = |rest: &str| !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte));
    KNOWN_CALLBACKS.contains(&text) || text.strip_prefix(KNOWN_CALLBACK_PREFIX).is_some_and(is_segment)
}

/// Is the host an address or a name without a public meaning? `url` reads addresses in every spelling that browsers accept.
pub(super) fn is_no_public_host(uri: &RedirectUri) -> bool {
    let Ok(url) = Url::parse(uri.as_str()) else { return true };
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(_) | Host::Ipv6(_)) | None => true,
    }
}

/// Refuses a known product's name to who calls back to a site that is not the product's. Loopback and apps may bear it: that is how
/// the command-line clients register, and the consent page warns.
pub(super) fn name_is_free(name: &str, redirect_uris: &[RedirectUri]) -> Result<(), MetadataFault> {
    let hosts = || redirect_uris.iter().filter(|uri| uri.kind() == RedirectKind::Https).filter_map(RedirectUri::host);
    if hosts().next().is_none() {
        return Ok(());
    }
    let words = words(name);
    let squeezed = words.concat();
    let bears = |brand: &Brand, brand_name: &String| {
        if brand.is_everyday_word { words.contains(brand_name) || squeezed == *brand_name } else { squeezed.contains(brand_name) }
    };
    let is_theirs = |host: &str, brand: &Brand| {
        brand.hosts.iter().any(|own| host == *own || host.strip_suffix(own).is_some_and(|front| front.ends_with('.')))
    };
    let mut brands = BRANDS.iter().zip(&*BRAND_NAMES);
    let is_claimed = brands.any(|(brand, name)| bears(brand, name) && !hosts().all(|host| is_theirs(host, brand)));
    if is_claimed { Err(MetadataFault::NameProtected) } else { Ok(()) }
}

/// The names of [`BRANDS`], folded once.
static BRAND_NAMES: LazyLock<Vec<String>> = LazyLock::new(|| BRANDS.iter().map(|brand| fold(brand.name)).collect());

/// The words of a name as a person reads them; letters that stand alone belong together ("C l a u d e").
fn words(name: &str) -> Vec<String> {
    let folded = fold(name);
    let mut words: Vec<String> = Vec::new();
    let mut after_single = false;
    for word in folded.split(|character: char| !character.is_alphanumeric()).filter(|word| !word.is_empty()) {
        let is_single = word.chars().count() == 1;
        match words.last_mut() {
            Some(last) if is_single && after_single => last.push_str(word),
            _ => words.push(word.to_owned()),
        }
        after_single = is_single;
    }
    words
}

/// Lower case, full-width forms narrowed, combining marks dropped, lookalikes replaced.
fn fold(text: &str) -> String {
    let narrowed = |character: char| match character {
        // Full-width forms lie at a fixed distance from ASCII.
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(u32::from(character) - 0xfee0).unwrap_or(character),
        _ => character,
    };
    let is_mark = |character: &char| matches!(character, '\u{300}'..='\u{36f}' | '\u{1ab0}'..='\u{1aff}' | '\u{20d0}'..='\u{20ff}');
    let look = |character: char| {
        LOOKALIKES
            .iter()
            .find(|(letter, others)| character == *letter || others.contains(character))
            .map_or(character, |(letter, _)| *letter)
    };
    text.chars().map(narrowed).flat_map(char::to_lowercase).filter(|character| !is_mark(character)).map(look).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(name: &str, uris: &[&str]) -> bool {
        let uris: Vec<_> = uris.iter().map(|uri| RedirectUri::parse(uri).unwrap()).collect();
        name_is_free(name, &uris).is_ok()
    }

    /// Attack 9: consent phishing by name.
    #[test]
    fn a_known_name_with_a_foreign_callback_is_refused() {
        for name in [
            "Claude",
            "claude",
            "Claude Desktop",
            "CLAUDE.AI",
            "C l a u d e",
            "C.l.a.u.d.e",
            "Cl-aude",
            "C1aude",
            "CIaude",
            "С\u{4c}aude",
            "Сlаudе",
            "Clàude",
            "Cla\u{301}ude",
            "Ｃｌａｕｄｅ",
            "Anthropic Connector",
            "ChatGPT",
            "Chat GPT",
            "0penAI",
            "OpenAl",
            "Visual Studio Code",
            "VS Code",
            "GitHub Copilot",
            "Cursor",
            "cursor agent",
            "Gemini",
            "GEMINI CLI MCP Client",
        ] {
            assert!(!judged(name, &["https://evil.example/cb"]), "{name}");
        }
    }

    #[test]
    fn the_owners_of_a_name_may_bear_it() {
        assert!(judged("Claude", &["https://claude.ai/api/mcp/auth_callback", "https://claude.com/api/mcp/auth_callback"]));
        assert!(judged("Claude Code (weather)", &["http://localhost:3118/callback"]));
        assert!(judged(
            "Visual Studio Code",
            &["https://insiders.vscode.dev/redirect", "https://vscode.dev/redirect", "http://127.0.0.1/"]
        ));
        assert!(judged("Cursor", &["cursor://anysphere.cursor-mcp/oauth/callback", "https://www.cursor.com/agents/mcp/oauth/callback"]));
        assert!(judged("Gemini CLI MCP Client", &["http://localhost:7777/oauth/callback"]));
    }

    #[test]
    fn one_foreign_callback_among_good_ones_is_enough() {
        assert!(!judged("Claude", &["https://claude.ai/api/mcp/auth_callback", "https://evil.example/cb"]));
        assert!(!judged("Claude", &["https://claude.ai.evil.example/cb"]));
        assert!(!judged("Claude", &["https://notclaude.ai/cb"]));
    }

    #[test]
    fn everyday_words_are_protected_only_as_themselves() {
        for name in ["Precursor", "Recursor tools", "Geminis of the night", "Weather", "MCP CLI Client", "goose", ""] {
            assert!(judged(name, &["https://somebody.example/cb"]), "{name}");
        }
    }
}
