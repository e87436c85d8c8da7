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
pub use claims::{AccessClaims, AccessClaimsRef};
pub use client_id::{ClientId, ClientIdKind};
pub use ended::{AccessFacts, EndedEntry, EndedHash, EndedKind, EndedList, ended_hash};
pub use error::{
    BoxError, Bug, ClientFault, Error, GrantFault, MetadataFault, Outage, RedirectFault, Refusal, RequestFault, ResourceFault, Result,
    ScopeFault, TargetFault, TokenFault,
};
pub use id::{BrowserSessionId, FlowId, GrantId, GrantText, Subject, UpstreamSessionId};
pub use issuer::IssuerUrl;
pub use metadata::{AuthorizationServerMetadata, ClientInformation, ClientMetadata, ProtectedResourceMetadata};
pub use pkce::{CodeChallenge, CodeVerifier};
pub use redirect_uri::{RedirectKind, RedirectUri};
pub use resource::ResourceUri;
pub use scope::Scope;
pub use state::State;
pub use text::Parsed;
pub use time::{Timestamp, Ttl};
pub use token::{
    AccessTokenSecret, ClientSecret, CodeSecret, PresentedToken, RefreshTokenSecret, RegistrationTokenSecret, SealedName, SessionSecret,
    TokenHash,
};
