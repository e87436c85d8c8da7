//! The first screen of `portico up`: the URL to give to a client, how to sign in, and the line to paste for the clients people use most.

use std::{fmt::Write as _, path::Path, time::Duration};

use auth_server::config::Config;

use crate::up::FirstAccount;

/// What is said once, when requests are answered.
pub(crate) fn text(config: &Config, documents: &Path, account: &FirstAccount, fixtures: bool, took: Duration) -> String {
    let mcp = &config.default_resource().uri;
    let mut out = String::new();
    let _ = writeln!(out, "\nPortico is up after {} ms.\n", took.as_millis());
    let _ = writeln!(out, "  Give this to a client    {mcp}");
    let _ = writeln!(out, "  Look at it               {}/", config.issuer);
    let _ = writeln!(out, "  Sign in                  {}", sign_in(account));
    let _ = writeln!(out, "  Documents searched       {}", documents.display());
    let _ = writeln!(out, "  State is kept in         {}\n", config.data_dir.display());
    let _ = writeln!(out, "  Claude Code     claude mcp add --transport http portico {mcp}");
    let _ = writeln!(out, "  VS Code         code --add-mcp '{{\"name\":\"portico\",\"type\":\"http\",\"url\":\"{mcp}\"}}'");
    let _ = writeln!(out, "  MCP Inspector   npx @modelcontextprotocol/inspector    (transport: streamable HTTP, URL as above)");
    let _ = writeln!(out, "  {}\n", hosted(config));
    if fixtures {
        out.push_str("  WARNING: the fixture tools of the conformance suite are on. Never in production.\n\n");
    }
    out.push_str("Ctrl-C finishes what is in flight and ends. `portico up --help` has the options, docs/configuration.md the settings.\n");
    out
}

fn sign_in(account: &FirstAccount) -> String {
    match account {
        FirstAccount::Made { username, generated: Some(password) } => format!("as {username}, password {password}   (shown this once)"),
        FirstAccount::Made { username, generated: None } => format!("as {username}, with the password in PORTICO_PASSWORD"),
        FirstAccount::Existing { username } => format!("as {username}, or another of `portico users list`"),
        FirstAccount::Elsewhere { providers } => format!("at {}", providers.join(", ")),
    }
}

/// Hosted clients run elsewhere: they reach neither loopback nor plain http.
fn hosted(config: &Config) -> String {
    if config.issuer.is_https() && !config.issuer.is_loopback() {
        format!("ChatGPT, Claude.ai   add a connector with {}", config.default_resource().uri)
    } else {
        "ChatGPT, Claude.ai   need a public https origin: put a TLS proxy in front and start with --public-url https://your.host".to_owned()
    }
}
