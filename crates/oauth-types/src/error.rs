//! Everything this system may refuse, by the name the RFCs give it. The variant is the code, the payload is the reason.
//!
//! RFC 6749 §4.1.2.1 and §5.2, RFC 6750 §3.1, RFC 7591 §3.2.2, RFC 8707 §2, OpenID Connect Core §3.1.2.6. The table in this file
//! owns code, status and text; an endpoint raises the reason and picks the shape (JSON, page, challenge, redirect), nothing else.

use std::fmt;

use crate::{
    ClientFault, GrantFault, MetadataFault, RedirectFault, Refusal, RequestFault, Scope, ScopeFault, TargetFault, TokenFault, Ttl,
};

/// What parts of Portico that speak the protocol return.
pub type Result<T> = std::result::Result<T, Error>;

/// A cause from outside the vocabulary, for the operator's source chain.
pub type BoxError = Box<dyn std::error::Error + Send + Sync + 'static>;

/// Everything this system may refuse, by the name the RFCs give it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// RFC 6749 §4.1.2.1, §5.2; RFC 6750 §3.1.
    #[error("invalid_request: {0}")]
    InvalidRequest(RequestFault),
    /// RFC 6749 §5.2.
    #[error("invalid_client: {0}")]
    InvalidClient(ClientFault),
    /// RFC 6749 §5.2.
    #[error("invalid_grant: {0}")]
    InvalidGrant(GrantFault),
    /// RFC 6749 §4.1.2.1, §5.2.
    #[error("unauthorized_client: {0}")]
    UnauthorizedClient(ClientFault),
    /// RFC 6749 §5.2.
    #[error("unsupported_grant_type")]
    UnsupportedGrantType,
    /// RFC 6749 §4.1.2.1.
    #[error("unsupported_response_type")]
    UnsupportedResponseType,
    /// RFC 6749 §4.1.2.1, §5.2.
    #[error("invalid_scope: {0}")]
    InvalidScope(ScopeFault),
    /// RFC 8707 §2.
    #[error("invalid_target: {0}")]
    InvalidTarget(TargetFault),
    /// RFC 6749 §4.1.2.1.
    #[error("access_denied: {0}")]
    AccessDenied(Refusal),
    /// RFC 7591 §3.2.2.
    #[error("invalid_redirect_uri: {0}")]
    InvalidRedirectUri(RedirectFault),
    /// RFC 7591 §3.2.2.
    #[error("invalid_client_metadata: {0}")]
    InvalidClientMetadata(MetadataFault),
    /// RFC 6750 §3.1.
    #[error("invalid_token: {0}")]
    InvalidToken(TokenFault),
    /// RFC 6750 §3.1: the token is good and not enough.
    #[error("insufficient_scope: {needed} is needed")]
    InsufficientScope {
        /// Everything that the operation needs.
        needed: Scope,
    },
    /// OpenID Connect Core §3.1.2.6.
    #[error("login_required")]
    LoginRequired,
    /// OpenID Connect Core §3.1.2.6.
    #[error("consent_required")]
    ConsentRequired,
    /// OpenID Connect Core §3.1.2.6.
    #[error("request_not_supported")]
    RequestNotSupported,
    /// OpenID Connect Core §3.1.2.6.
    #[error("request_uri_not_supported")]
    RequestUriNotSupported,
    /// RFC 6585 §4: somebody asks too often.
    #[error("too many requests")]
    TooManyRequests {
        /// When to come back.
        retry_after: Ttl,
    },
    /// RFC 6749 §4.1.2.1: something that we stand on is away. Never answer such a fault with `invalid_grant`: clients would
    /// throw good credentials away.
    #[error("temporarily_unavailable")]
    TemporarilyUnavailable(#[source] Outage),
    /// RFC 6749 §4.1.2.1: our own mistake.
    #[error("server_error")]
    ServerError(#[source] Bug),
}

impl Error {
    /// The `error` that a client reads.
    pub fn code(&self) -> &'static str {
        self.row().0
    }

    /// The HTTP status, where the answer is not a redirect.
    pub fn status(&self) -> u16 {
        self.row().1
    }

    /// Safe, fixed, plain ASCII text for the client: nothing of the request is echoed.
    pub fn description(&self) -> &'static str {
        self.row().2
    }

    /// The slug for logs, audit and tests.
    pub fn reason(&self) -> &'static str {
        self.row().3
    }

    /// The sentence for operators: the rule, what was expected, what to do.
    pub fn explanation(&self) -> &'static str {
        self.row().4
    }

    /// The table: code, status, text for the client, reason and sentence for the operator. No wildcard, so that a variant without
    /// a row does not compile.
    fn row(&self) -> (&'static str, u16, &'static str, &'static str, &'static str) {
        match self {
            Self::InvalidRequest(fault) => ("invalid_request", fault.status(), request_text(fault), fault.reason(), fault.explanation()),
            Self::InvalidClient(fault) => ("invalid_client", 401, fault.description(), fault.reason(), fault.explanation()),
            Self::InvalidGrant(fault) => ("invalid_grant", 400, fault.description(), fault.reason(), fault.explanation()),
            Self::UnauthorizedClient(fault) => ("unauthorized_client", 400, fault.description(), fault.reason(), fault.explanation()),
            Self::UnsupportedGrantType => (
                "unsupported_grant_type",
                400,
                "the grant_type is not supported",
                "grant_type_unsupported",
                "The grant_type is none that this server has; the metadata document lists them.",
            ),
            Self::UnsupportedResponseType => (
                "unsupported_response_type",
                400,
                "response_type must be code",
                "response_type_unsupported",
                "The response_type is not code, the only one of OAuth 2.1.",
            ),
            Self::InvalidScope(fault) => ("invalid_scope", 400, fault.description(), fault.reason(), fault.explanation()),
            Self::InvalidTarget(fault) => ("invalid_target", 400, fault.description(), fault.reason(), fault.explanation()),
            Self::AccessDenied(refusal) => ("access_denied", 403, refusal.description(), refusal.reason(), refusal.explanation()),
            Self::InvalidRedirectUri(fault) => ("invalid_redirect_uri", 400, fault.description(), fault.reason(), fault.explanation()),
            Self::InvalidClientMetadata(fault) => {
                ("invalid_client_metadata", 400, fault.description(), fault.reason(), fault.explanation())
            }
            Self::InvalidToken(fault) => ("invalid_token", 401, fault.description(), fault.reason(), fault.explanation()),
            Self::InsufficientScope { .. } => (
                "insufficient_scope",
                403,
                "the access token does not allow this; ask for the scopes of this challenge",
                "scope_insufficient",
                "The token is good and lacks a scope that the operation needs; the client may ask the person for more.",
            ),
            Self::LoginRequired => (
                "login_required",
                400,
                "the person must sign in",
                "login_required",
                "The client asked for prompt none, and the person is not signed in.",
            ),
            Self::ConsentRequired => (
                "consent_required",
                400,
                "the person must consent",
                "consent_required",
                "The client asked for prompt none, and the person has not consented to this before.",
            ),
            Self::RequestNotSupported => (
                "request_not_supported",
                400,
                "the request parameter is not supported",
                "request_object_sent",
                "The client sent a request object, which this server does not read; ignoring it would ignore what it says.",
            ),
            Self::RequestUriNotSupported => (
                "request_uri_not_supported",
                400,
                "the request_uri parameter is not supported",
                "request_uri_sent",
                "The client sent a request_uri, which this server does not fetch.",
            ),
            Self::TooManyRequests { .. } => (
                "temporarily_unavailable",
                429,
                "too many requests; try again later",
                "too_many_requests",
                "One source asks more often than the limits allow; Retry-After says when it may come back.",
            ),
            Self::TemporarilyUnavailable(_) => (
                "temporarily_unavailable",
                503,
                "the server cannot answer now; try again later",
                "outage",
                "Something that this server stands on did not answer; the cause is in the log line of this refusal.",
            ),
            Self::ServerError(_) => (
                "server_error",
                500,
                "the server made a mistake",
                "bug",
                "This is a mistake of the server, not of the client; please report it with the cause in the log.",
            ),
        }
    }
}

/// Which parameter is missing is worth telling, and only the names that the RFCs give are told.
fn request_text(fault: &RequestFault) -> &'static str {
    match fault {
        RequestFault::MissingParameter("client_id") => "client_id is required",
        RequestFault::MissingParameter("redirect_uri") => "redirect_uri is required",
        RequestFault::MissingParameter("response_type") => "response_type is required",
        RequestFault::MissingParameter("grant_type") => "grant_type is required",
        RequestFault::MissingParameter("code") => "code is required",
        RequestFault::MissingParameter("refresh_token") => "refresh_token is required",
        RequestFault::MissingParameter("token") => "token is required",
        _ => fault.description(),
    }
}

/// Something that we stand on did not answer.
#[derive(Debug)]
pub struct Outage {
    /// What is away, for the operator.
    pub what: &'static str,
    /// Why, for the source chain.
    pub source: Option<BoxError>,
}

/// A mistake of ours.
#[derive(Debug)]
pub struct Bug {
    /// What should not have been, for the operator.
    pub what: &'static str,
    /// Why, for the source chain.
    pub source: Option<BoxError>,
}

macro_rules! operator_error {
    ($name:ident, $variant:ident) => {
        impl $name {
            /// Without a cause.
            pub fn new(what: &'static str) -> Self {
                Self { what, source: None }
            }

            /// With its cause.
            pub fn caused(what: &'static str, source: impl Into<BoxError>) -> Self {
                Self { what, source: Some(source.into()) }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.what)
            }
        }

        impl std::error::Error for $name {
            fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
                self.source.as_ref().map(|source| &**source as _)
            }
        }

        impl From<$name> for Error {
            fn from(fault: $name) -> Self {
                Self::$variant(fault)
            }
        }
    };
}

operator_error!(Outage, TemporarilyUnavailable);
operator_error!(Bug, ServerError);

// Faults that can mean one thing only. RedirectFault and ClientFault have no such line on purpose: the same fault is
// `invalid_redirect_uri` at registration, a page at /authorize and `invalid_grant` at /token; the caller says which, in one word.
macro_rules! means {
    ($($fault:ident => $variant:ident),+ $(,)?) => { $(
        impl From<$fault> for Error {
            fn from(fault: $fault) -> Self {
                Self::$variant(fault)
            }
        }
    )+ };
}

means! {
    RequestFault => InvalidRequest,
    GrantFault => InvalidGrant,
    ScopeFault => InvalidScope,
    TargetFault => InvalidTarget,
    MetadataFault => InvalidClientMetadata,
    TokenFault => InvalidToken,
    Refusal => AccessDenied,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 6749 §5.2: the server MAY return 401 for a failed client authentication; everything else about the request is 400.
    #[test]
    fn the_code_and_the_status_are_those_of_the_rfcs() {
        let rows = [
            (Error::InvalidRequest(RequestFault::RepeatedParameter), "invalid_request", 400, "parameter_repeated"),
            (Error::InvalidRequest(RequestFault::HostNotOurs), "invalid_request", 421, "host_not_ours"),
            (Error::InvalidRequest(RequestFault::BodyTooLarge), "invalid_request", 413, "body_too_large"),
            (Error::InvalidClient(ClientFault::SecretMismatch), "invalid_client", 401, "client_secret_mismatch"),
            (GrantFault::CodeReplayed.into(), "invalid_grant", 400, "code_replayed"),
            (TokenFault::Expired.into(), "invalid_token", 401, "token_expired"),
            (Error::InsufficientScope { needed: Scope::parse("a").unwrap() }, "insufficient_scope", 403, "scope_insufficient"),
            (Error::TooManyRequests { retry_after: Ttl(3) }, "temporarily_unavailable", 429, "too_many_requests"),
            (Outage::new("the store").into(), "temporarily_unavailable", 503, "outage"),
            (Bug::new("two heads").into(), "server_error", 500, "bug"),
        ];
        for (error, code, status, reason) in rows {
            assert_eq!((error.code(), error.status(), error.reason()), (code, status, reason));
            assert!(error.explanation().ends_with('.'));
            assert!(!error.description().contains(['"', '\\']));
        }
    }

    #[test]
    fn the_cause_is_in_the_source_chain_and_not_in_the_text() {
        let error = Error::from(Outage::caused("the store did not answer", std::io::Error::other("disk of host db-7")));
        assert!(!error.to_string().contains("db-7") && !error.description().contains("db-7"));
        let outage = std::error::Error::source(&error).unwrap();
        assert_eq!(outage.to_string(), "the store did not answer");
        assert_eq!(outage.source().unwrap().to_string(), "disk of host db-7");
    }

    #[test]
    fn a_missing_parameter_is_named_and_an_unheard_of_one_is_not_echoed() {
        assert_eq!(Error::from(RequestFault::MissingParameter("code")).description(), "code is required");
        assert_eq!(Error::from(RequestFault::MissingParameter("flavour")).description(), "a required parameter is missing");
    }
}
