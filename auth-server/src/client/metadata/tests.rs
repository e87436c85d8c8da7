//! Every rule of RFC 7591 §2, and the bodies that real clients send (spec and clients, section 2).

use serde_json::{Value, json};

use super::*;
use crate::config::{Config, Layers, resolve};

/// As shipped.
fn config() -> Config {
    resolve(Layers::gather(None, std::iter::empty(), []).unwrap()).unwrap()
}

fn judge(body: Value) -> Result<Accepted, Error> {
    judge_under(&config(), body)
}

fn judge_under(config: &Config, body: Value) -> Result<Accepted, Error> {
    Accepted::judge(serde_json::from_value(body).unwrap(), &Policy::new(config), &config.every_scope())
}

/// What the client reads back.
fn echo(body: Value) -> Value {
    let accepted = judge(body).unwrap_or_else(|error| panic!("{}", error.reason()));
    let echo = serde_json::to_value(&accepted.echo).unwrap();
    assert!(echo.as_object().unwrap().values().all(|member| !member.is_null()), "{echo}");
    echo
}

fn fault(body: Value) -> MetadataFault {
    match judge(body) {
        Err(Error::InvalidClientMetadata(fault)) => fault,
        other => panic!("{other:?}"),
    }
}

fn redirect_fault(uris: Value) -> &'static str {
    match judge(json!({ "redirect_uris": uris })) {
        Err(Error::InvalidRedirectUri(fault)) => fault.reason(),
        other => panic!("{other:?}"),
    }
}

fn with(member: &str, value: Value) -> Value {
    json!({ "redirect_uris": ["http://127.0.0.1/cb"], "token_endpoint_auth_method": "none", member: value })
}

#[test]
fn vs_code_registers_its_four_callbacks_and_the_grants_that_both_know() {
    let echo = echo(json!({
        "client_name": "Visual Studio Code", "client_uri": "https://code.visualstudio.com",
        "grant_types": ["authorization_code", "refresh_token", "urn:ietf:params:oauth:grant-type:device_code"], "response_types": ["code"],
        "redirect_uris": ["https://insiders.vscode.dev/redirect", "https://vscode.dev/redirect", "http://127.0.0.1/", "http://127.0.0.1:33418/"],
        "token_endpoint_auth_method": "none", "application_type": "native"
    }));
    assert_eq!(echo["redirect_uris"].as_array().unwrap().len(), 4);
    assert_eq!(echo["grant_types"], json!(["authorization_code", "refresh_token"]));
    assert_eq!((&echo["application_type"], &echo["client_name"]), (&json!("native"), &json!("Visual Studio Code")));
}

#[test]
fn cursor_registers_a_scheme_a_site_and_a_loopback_together() {
    let uris = json!([
        "cursor://anysphere.cursor-mcp/oauth/callback",
        "https://www.cursor.com/agents/mcp/oauth/callback",
        "http://localhost:8787/callback"
    ]);
    let body = json!({ "client_name": "Cursor", "redirect_uris": uris, "token_endpoint_auth_method": "none",
        "grant_types": ["authorization_code", "refresh_token"], "response_types": ["code"] });
    assert_eq!(echo(body.clone())["redirect_uris"], uris);

    let mut strict = config();
    strict.registration.private_use_schemes.clear();
    let kept = judge_under(&strict, body).unwrap().redirect_uris;
    assert_eq!(
        kept.iter().map(RedirectUri::as_str).collect::<Vec<_>>(),
        ["https://www.cursor.com/agents/mcp/oauth/callback", "http://localhost:8787/callback"]
    );
}

#[test]
fn claude_registers_as_a_public_or_a_post_client() {
    let body = |method: &str| {
        json!({
            "client_name": "Claude", "grant_types": ["authorization_code", "refresh_token"], "response_types": ["code"],
            "token_endpoint_auth_method": method, "scope": "mcp:read offline_access",
            "redirect_uris": ["https://claude.ai/api/mcp/auth_callback", "https://claude.com/api/mcp/auth_callback"]
        })
    };
    assert_eq!(echo(body("none"))["token_endpoint_auth_method"], "none");
    let post = judge(body("client_secret_post")).unwrap();
    assert_eq!((post.auth_method, post.echo.scope.as_deref()), (AuthMethod::SecretPost, Some("mcp:read offline_access")));
}

#[test]
fn claude_code_registers_a_loopback_callback() {
    let echo = echo(
        json!({ "client_name": "Claude Code (weather)", "redirect_uris": ["http://localhost:3118/callback"], "application_type": "native",
        "grant_types": ["authorization_code", "refresh_token"], "response_types": ["code"], "token_endpoint_auth_method": "none" }),
    );
    assert_eq!(echo["redirect_uris"], json!(["http://localhost:3118/callback"]));
}

#[test]
fn chatgpt_registers_a_callback_of_its_own() {
    let echo = echo(json!({ "client_name": "ChatGPT", "redirect_uris": ["https://chatgpt.com/connector/oauth/abc_123"],
        "grant_types": ["authorization_code", "refresh_token"], "response_types": ["code"], "token_endpoint_auth_method": "client_secret_basic" }));
    assert_eq!(echo["token_endpoint_auth_method"], "client_secret_basic");
}

#[test]
fn mcp_remote_registers_with_its_software() {
    let echo = echo(json!({ "client_name": "MCP CLI Client", "client_uri": "https://github.com/modelcontextprotocol/mcp-cli",
        "redirect_uris": ["http://localhost:19876/oauth/callback"], "token_endpoint_auth_method": "none", "scope": "openid email profile",
        "software_id": "2e6dc280-f3c3-4e01-99a7-8181dbd1d23d", "software_version": "0.1.37", "grant_types": ["authorization_code", "refresh_token"], "response_types": ["code"] }));
    assert_eq!(echo["software_version"], "0.1.37");
    assert!(echo.get("scope").is_none(), "no scope of those exists here, so none is echoed");
}

#[test]
fn the_inspector_registers_with_an_empty_scope() {
    let echo = echo(json!({ "redirect_uris": ["http://localhost:6274/oauth/callback", "http://localhost:6274/oauth/callback/debug"],
        "token_endpoint_auth_method": "none", "grant_types": ["authorization_code", "refresh_token"], "response_types": ["code"],
        "client_name": "MCP Inspector", "client_uri": "https://github.com/modelcontextprotocol/inspector", "scope": "" }));
    assert!(echo.get("scope").is_none());
    assert_eq!(echo["redirect_uris"].as_array().unwrap().len(), 2);
}

#[test]
fn gemini_rmcp_and_copilot_register_what_little_they_send() {
    echo(json!({ "client_name": "Gemini CLI MCP Client", "redirect_uris": ["http://localhost:7777/oauth/callback"], "scope": "",
        "grant_types": ["authorization_code", "refresh_token"], "response_types": ["code"], "token_endpoint_auth_method": "none" }));
    echo(
        json!({ "client_name": "goose", "redirect_uris": ["http://localhost:49152/oauth_callback"], "application_type": "native", "scope": "mcp:read",
        "grant_types": ["authorization_code", "refresh_token"], "token_endpoint_auth_method": "none", "response_types": ["code"] }),
    );
    let copilot = echo(
        json!({ "client_name": "GitHub Copilot", "redirect_uris": ["http://127.0.0.1:51234/"], "token_endpoint_auth_method": "none" }),
    );
    assert!(copilot.get("scope").is_none());
    echo(
        json!({ "client_name": "OpenCode", "client_uri": "https://opencode.ai", "redirect_uris": ["http://127.0.0.1:19876/mcp/oauth/callback"],
        "grant_types": ["authorization_code", "refresh_token"], "response_types": ["code"], "token_endpoint_auth_method": "none" }),
    );
}

/// RFC 7591 §2: client_secret_basic, authorization_code and code when omitted; we add the refresh grant (decision 0031).
#[test]
fn what_is_omitted_has_its_default() {
    let accepted = judge(json!({ "redirect_uris": ["http://127.0.0.1/cb"] })).unwrap();
    assert_eq!(accepted.auth_method, AuthMethod::SecretBasic);
    assert_eq!(accepted.grant_types, GrantType::ALL);
    assert_eq!(accepted.echo.response_types, Some(vec!["code".to_owned()]));
    assert_eq!((accepted.name.as_deref(), accepted.shown_name()), (None, "127.0.0.1"));
}

#[test]
fn a_client_that_wants_no_refresh_gets_none() {
    assert_eq!(judge(with("grant_types", json!(["authorization_code"]))).unwrap().grant_types, [GrantType::AuthorizationCode]);
}

/// Attack 20: privileged grants fall out; nothing useful left is a refusal.
#[test]
fn privileged_grants_are_not_registered() {
    for privileged in ["password", "implicit", "client_credentials", "urn:ietf:params:oauth:grant-type:jwt-bearer"] {
        assert_eq!(fault(with("grant_types", json!([privileged]))), MetadataFault::GrantTypesUnusable);
        assert_eq!(echo(with("grant_types", json!([privileged, "authorization_code"])))["grant_types"], json!(["authorization_code"]));
    }
    assert_eq!(fault(with("grant_types", json!(["refresh_token"]))), MetadataFault::GrantTypesUnusable);
    assert_eq!(fault(with("response_types", json!(["token"]))), MetadataFault::ResponseTypesUnusable);
    assert_eq!(echo(with("response_types", json!(["token", "code"])))["response_types"], json!(["code"]));
}

#[test]
fn a_method_that_does_not_work_here_is_refused() {
    for method in ["private_key_jwt", "client_secret_jwt", "tls_client_auth", "NONE"] {
        assert_eq!(fault(with("token_endpoint_auth_method", json!(method))), MetadataFault::AuthMethodUnknown, "{method}");
    }
    assert_eq!(judge(with("token_endpoint_auth_method", json!(""))).unwrap().auth_method, AuthMethod::SecretBasic);
}

/// RFC 7591 §2: jwks and jwks_uri MUST NOT both be present. One alone is ignored, and not echoed as registered.
#[test]
fn keys_come_from_one_place() {
    let mut body = with("jwks", json!({ "keys": [] }));
    assert!(echo(body.clone()).get("jwks").is_none());
    body["jwks_uri"] = json!("https://app.example/jwks");
    assert_eq!(fault(body), MetadataFault::BothKeyMembers);
}

/// Attack 8.
#[test]
fn names_cannot_move_hide_or_flood_what_stands_around_them() {
    for name in [
        "a\u{0}b",
        "a\nb",
        "a\u{7f}b",
        "a\u{85}b",
        "a\u{202e}b",
        "a\u{200b}b",
        "a\u{2066}b",
        "a\u{feff}b",
        "a\u{ad}b",
        "a\u{e0041}b",
        "\u{3164}",
    ] {
        assert_eq!(fault(with("client_name", json!(name))), MetadataFault::NameHasControlCharacters, "{name:?}");
    }
    assert_eq!(fault(with("client_name", json!("n".repeat(NAME_CHARACTERS_MAX + 1)))), MetadataFault::NameTooLong);
    assert_eq!(fault(with("client_name", json!("n".repeat(10_240)))), MetadataFault::NameTooLong);
    let longest = "語".repeat(NAME_CHARACTERS_MAX);
    assert_eq!(echo(with("client_name", json!(longest)))["client_name"], longest);
    assert_eq!(echo(with("client_name", json!("  <b>Lesehilfe</b> für Ärzte ❤️ ")))["client_name"], "<b>Lesehilfe</b> für Ärzte ❤️");
    assert!(echo(with("client_name", json!("   "))).get("client_name").is_none());
}

/// Attack 9.
#[test]
fn a_protected_name_needs_its_owners_callback() {
    let body = |uri: &str| json!({ "client_name": "Claude", "redirect_uris": [uri], "token_endpoint_auth_method": "none" });
    assert_eq!(fault(body("https://evil.example/cb")), MetadataFault::NameProtected);
    echo(body("https://claude.ai/api/mcp/auth_callback"));
    echo(body("http://localhost:1/callback"));
}

/// Attack 8: links are https or nothing.
#[test]
fn links_are_web_pages() {
    for member in ["client_uri", "logo_uri", "tos_uri", "policy_uri"] {
        for link in [
            "javascript:alert(1)",
            "data:text/html,x",
            "http://app.example/",
            "ftp://app.example/",
            "not a link",
            "https://",
            "https://user@app.example/",
            "https://app.example/\u{202e}",
            "https://app.example/<script>",
            "HTTPS://app.example/",
            "https:app.example",
        ] {
            assert_eq!(fault(with(member, json!(link))), MetadataFault::UriNotHttps, "{member} {link}");
        }
        assert_eq!(
            fault(with(member, json!(format!("https://app.example/{}", "x".repeat(4000))))),
            MetadataFault::TooLong(member_name(member))
        );
        assert_eq!(echo(with(member, json!("https://app.example/about")))[member], "https://app.example/about");
        assert!(echo(with(member, json!(""))).get(member).is_none());
    }
}

fn member_name(member: &str) -> &'static str {
    ["client_uri", "logo_uri", "tos_uri", "policy_uri"].into_iter().find(|known| *known == member).unwrap()
}

#[test]
fn small_texts_are_small_and_printable() {
    assert_eq!(fault(with("software_id", json!("x".repeat(257)))), MetadataFault::TooLong("software_id"));
    assert_eq!(fault(with("software_version", json!("1\n2"))), MetadataFault::MemberMalformed("software_version"));
    assert_eq!(fault(with("contacts", json!(vec!["a@b.example"; 11]))), MetadataFault::TooLong("contacts"));
    assert_eq!(echo(with("contacts", json!(["", "a@b.example"])))["contacts"], json!(["a@b.example"]));
    assert!(echo(with("application_type", json!("desktop"))).get("application_type").is_none());
}

#[test]
fn scopes_that_exist_are_echoed_and_text_that_is_no_scope_is_refused() {
    assert_eq!(echo(with("scope", json!("mcp:write openid mcp:read")))["scope"], "mcp:read mcp:write");
    assert_eq!(fault(with("scope", json!("mcp:read \"quoted\""))), MetadataFault::ScopeMalformed);
}

/// Spec section 6: the never row refuses everything, the policy row leaves one out.
#[test]
fn one_dangerous_callback_spoils_the_registration_and_an_unlisted_one_is_left_out() {
    let good = "http://127.0.0.1/cb";
    for bad in ["javascript:alert(1)", "https://app.example/cb#x", "http://app.example/cb", "https://localhost/cb", "https://10.0.0.1/cb"] {
        redirect_fault(json!([good, bad]));
    }
    assert_eq!(judge(json!({ "redirect_uris": ["com.app.unknown://cb", good, good] })).unwrap().redirect_uris.len(), 1);
    assert_eq!(redirect_fault(json!(["com.app.unknown://cb"])), "redirect_scheme_not_allowed");
}

#[test]
fn callbacks_are_required_and_counted() {
    for none in [json!([]), json!(null)] {
        assert_eq!(fault(json!({ "redirect_uris": none })), MetadataFault::RedirectUrisMissing);
    }
    let uris = |count: usize| (0..count).map(|number| format!("https://app.example/{number}")).collect::<Vec<_>>();
    assert!(judge(json!({ "redirect_uris": uris(REDIRECT_URIS_MAX) })).is_ok());
    assert_eq!(fault(json!({ "redirect_uris": uris(REDIRECT_URIS_MAX + 1) })), MetadataFault::TooManyRedirectUris);
}

#[test]
fn the_digest_follows_what_a_person_saw() {
    let digest = |body: Value| judge(body).unwrap().digest();
    let base = || with("client_name", json!("A"));
    assert_eq!(digest(base()), digest(base()));
    let mut other_software = base();
    other_software["software_version"] = json!("2");
    assert_eq!(digest(base()), digest(other_software), "a new version is the same client to a person");
    for (member, value) in [
        ("client_name", json!("B")),
        ("client_uri", json!("https://a.example/")),
        ("redirect_uris", json!(["http://127.0.0.1/other"])),
        ("token_endpoint_auth_method", json!("client_secret_post")),
    ] {
        let mut changed = base();
        changed[member] = value;
        assert_ne!(digest(base()), digest(changed), "{member}");
    }
}
