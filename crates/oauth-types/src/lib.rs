//! The vocabulary of OAuth and MCP authorization as Portico speaks it.
//!
//! Values parse once and are trusted from then on; errors know their code, never their channel; documents are plain data. The rule that
//! keeps this crate pure: no I/O, no clock, no async, no framework. Whoever needs one of these is not vocabulary.

mod challenge;
mod claims;
mod client_id;
mod ended;
mod error;
mod id;
mod issuer;
mod metadata;
mod pkce;
mod redirect_uri;
mod resource;
mod scope;
mod state;
mod text;
mod time;
mod token;

pub use challenge::Challenge;
pub use claims::{AccessClaims, AccessClaimsRef, IdClaimsRef};
pub use client_id::{ClientId, ClientIdKind};
pub use ended::{AccessFacts, EndedEntry, EndedHash, EndedKind, EndedList, ended_hash};
pub use error::{
    BoxError, Bug, ClientFault, Error, GrantFault, MetadataFault, Outage, RedirectFault, Refusal, RequestFault, ResourceFault, Result,
    ScopeFault, TargetFault, TokenFault, UpstreamFault,
};
pub use id::{BrowserSessionId, FlowId, GrantId, GrantText, IdpId, Subject, UpstreamSessionId};
pub use issuer::IssuerUrl;
pub use metadata::{AuthorizationServerMetadata, ClientInformation, ClientMetadata, ProtectedResourceMetadata};
pub use pkce::{CodeChallenge, CodeVerifier};
pub use redirect_uri::{RedirectKind, RedirectUri};
pub use resource::ResourceUri;
pub use scope::Scope;
pub use state::State;
pub use text::{Parsed, alphanumeric_and};
pub use time::{Timestamp, Ttl};
pub use token::{
    AccessTokenSecret, ClientSecret, CodeSecret, PresentedToken, RefreshTokenSecret, RegistrationTokenSecret, SealedName, SessionSecret,
    TokenHash,
};

#[cfg(test)]
mod tests {
    /// architecture §3: a resource server in another program, and a client, may use this crate without taking a runtime, a framework or
    /// a database along. A new name here needs a decision.
    #[test]
    fn the_vocabulary_depends_on_nothing_that_acts() {
        let manifest = include_str!("../Cargo.toml");
        let section =
            manifest.split("\n[dependencies]\n").nth(1).and_then(|rest| rest.split("\n[").next()).expect("a section of dependencies");
        let names: Vec<&str> =
            section.lines().filter_map(|line| line.split(['.', ' ', '=']).next()).filter(|name| !name.is_empty()).collect();
        assert_eq!(names, ["serde", "serde_json", "thiserror", "url", "base64", "aws-lc-rs"]);
    }

    /// No clock, no randomness, no file, no network, no thread: what this crate says depends on what it is given.
    #[test]
    fn the_vocabulary_names_nothing_that_acts() {
        let sources = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/src")).unwrap().chain(
            ["error", "metadata"]
                .into_iter()
                .flat_map(|folder| std::fs::read_dir(format!("{}/src/{folder}", env!("CARGO_MANIFEST_DIR"))).unwrap()),
        );
        let forbidden = [
            "System".to_owned() + "Time",
            "Inst".to_owned() + "ant",
            "Tcp".to_owned() + "Stream",
            "std::".to_owned() + "thread",
            "aws_lc_rs::".to_owned() + "rand",
            "as".to_owned() + "ync fn",
        ];
        let mut count = 0;
        for path in sources.map(|entry| entry.unwrap().path()).filter(|path| path.extension().is_some_and(|ending| ending == "rs")) {
            let text = std::fs::read_to_string(&path).unwrap();
            let code: String = text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n");
            for word in &forbidden {
                assert!(!code.contains(word), "{} names {word}", path.display());
            }
            count += 1;
        }
        assert!(count > 15, "the sources were found");
    }
}
