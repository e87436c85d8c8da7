//! The vocabulary of OAuth and MCP authorization, as Portico speaks it: values, errors, documents.
//!
//! Every value is parsed once, at the door, and trusted afterwards (`parse` is the only way in from outside; serde goes the same
//! way). Every refusal is a typed reason: the [`Error`] variant is the RFC's code, its payload is what the operator reads.
//!
//! What does not belong here: input and output, clocks, randomness, async, web frameworks, databases. A test lists what this
//! crate depends on, so that the authorization server and a stranger's resource server can share it without sharing anything else.
//!
//! Reading order: [`Error`] and the faults, the values, [`AccessClaims`] and [`Challenge`], the metadata documents, [`EndedList`].

mod challenge;
mod claims;
mod client_id;
mod ended;
mod error;
mod faults;
mod grant_id;
mod issuer;
mod metadata;
mod opaque_id;
mod pkce;
mod redirect_policy;
mod redirect_uri;
mod resource;
mod scope;
mod sealed_name;
mod secrets;
mod state;
mod text;
mod time;
mod token_hash;
mod uri;

pub use challenge::Challenge;
pub use claims::{AccessClaims, AccessClaimsRef, Audience, UnverifiedClaims};
pub use client_id::{ClientId, ClientIdKind};
pub use ended::{AccessFacts, EndedEntry, EndedHash, EndedKind, EndedList, ended_hash};
pub use error::{BoxError, Bug, Error, Outage, Result};
pub use faults::{
    ClientFault, GrantFault, IssuerFault, MetadataFault, RedirectFault, Refusal, RequestFault, ScopeFault, TargetFault, TokenFault,
};
pub use grant_id::GrantId;
pub use issuer::IssuerUrl;
pub use metadata::{AuthorizationServerMetadata, ClientInformation, ClientMetadata, ProtectedResourceMetadata};
pub use opaque_id::{BrowserSessionId, FlowId, Subject, UpstreamSessionId};
pub use pkce::{CodeChallenge, CodeVerifier};
pub use redirect_policy::{
    Brand, CANDIDATE_PRIVATE_USE_SCHEMES, DEFAULT_PRIVATE_USE_SCHEMES, PINNED_CALLBACKS, PROTECTED_BRANDS, PinnedCallback,
    impersonated_brand, pinned_callback,
};
pub use redirect_uri::{RedirectKind, RedirectUri};
pub use resource::ResourceUri;
pub use scope::Scope;
pub use sealed_name::SealedName;
pub use secrets::{
    AccessTokenSecret, ClientSecret, CodeSecret, PresentedToken, RefreshTokenSecret, RegistrationTokenSecret, SessionSecret,
};
pub use state::State;
pub use time::{Timestamp, Ttl};
pub use token_hash::TokenHash;
