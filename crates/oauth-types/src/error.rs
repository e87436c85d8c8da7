//! Everything this system may refuse: the variant is the RFC's code, the payload is the reason.
//!
//! Three audiences, three texts. The client gets [`Error::code`] and [`Error::description`], a fixed sentence about its request that
//! tells nothing else. The operator gets [`Error::reason`] and [`Error::explanation`]. People get a page, which is not made here.
//! All payloads of one variant look the same from outside.

mod faults;
mod upstream;

pub use faults::{
    ClientFault, GrantFault, MetadataFault, RedirectFault, Refusal, RequestFault, ResourceFault, ScopeFault, TargetFault, TokenFault,
};
pub use upstream::UpstreamFault;

use crate::{Scope, Ttl};

/// A result of this system.
pub type Result<T> = std::result::Result<T, Error>;

/// What lies beneath.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Something that we need cannot be reached or is overloaded; trying again later helps.
#[derive(Debug)]
pub struct Outage {
    /// Operation and object, for operators: "could not reach the database".
    pub what: &'static str,
    /// The cause.
    pub source: Option<BoxError>,
}

/// Something that should not have happened; trying again does not help.
#[derive(Debug)]
pub struct Bug {
    /// Operation and object, for operators.
    pub what: &'static str,
    /// The cause.
    pub source: Option<BoxError>,
}

macro_rules! caused {
    ($($name:ident),*) => { $(
        impl $name {
            /// Without a cause beneath.
            pub fn new(what: &'static str) -> Self { Self { what, source: None } }
            /// With what lies beneath.
            pub fn caused(what: &'static str, source: impl Into<BoxError>) -> Self { Self { what, source: Some(source.into()) } }
        }
        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result { f.write_str(self.what) }
        }
        impl std::error::Error for $name {
            fn source(&self) -> Option<&(dyn std::error::Error + 'static)> { self.source.as_deref().map(|cause| cause as _) }
        }
    )* };
}
caused!(Outage, Bug);

/// Everything this system may refuse, by the name the RFCs give it.
#[derive(Debug, thiserror::Error)]
#[error("{}: {}", self.code(), self.explanation())]
#[expect(missing_docs, reason = "the names are the RFCs' codes; the table below says where each is defined")]
pub enum Error {
    InvalidRequest(RequestFault),
    InvalidClient(ClientFault),
    InvalidGrant(GrantFault),
    UnauthorizedClient(ClientFault),
    UnsupportedGrantType,
    UnsupportedResponseType,
    InvalidScope(ScopeFault),
    InvalidTarget(TargetFault),
    AccessDenied(Refusal),
    InvalidRedirectUri(RedirectFault),
    InvalidClientMetadata(MetadataFault),
    InvalidToken(TokenFault),
    InsufficientScope { needed: Scope },
    LoginRequired,
    ConsentRequired,
    RequestNotSupported,
    RequestUriNotSupported,
    TooManyRequests { retry_after: Ttl },
    TemporarilyUnavailable(#[source] Outage),
    ServerError(#[source] Bug),
    UpstreamDistrusted(UpstreamFault),
    LogoutRefused(UpstreamFault),
}

impl Error {
    /// THE table: code and status of each variant, and where they are defined.
    fn row(&self) -> (&'static str, u16) {
        match self {
            Self::InvalidRequest(fault) => ("invalid_request", fault.status()), // RFC 6749 §4.1.2.1, §5.2; RFC 6750 §3.1
            Self::InvalidClient(_) => ("invalid_client", 401),                  // RFC 6749 §5.2
            Self::InvalidGrant(_) => ("invalid_grant", 400),                    // RFC 6749 §5.2
            Self::UnauthorizedClient(_) => ("unauthorized_client", 400),        // RFC 6749 §5.2
            Self::UnsupportedGrantType => ("unsupported_grant_type", 400),      // RFC 6749 §5.2
            Self::UnsupportedResponseType => ("unsupported_response_type", 400), // RFC 6749 §4.1.2.1
            Self::InvalidScope(_) => ("invalid_scope", 400),                    // RFC 6749 §5.2
            Self::InvalidTarget(_) => ("invalid_target", 400),                  // RFC 8707 §2
            Self::AccessDenied(_) => ("access_denied", 403),                    // RFC 6749 §4.1.2.1
            Self::InvalidRedirectUri(_) => ("invalid_redirect_uri", 400),       // RFC 7591 §3.2.2
            Self::InvalidClientMetadata(_) => ("invalid_client_metadata", 400), // RFC 7591 §3.2.2
            Self::InvalidToken(_) => ("invalid_token", 401),                    // RFC 6750 §3.1
            Self::InsufficientScope { .. } => ("insufficient_scope", 403),      // RFC 6750 §3.1
            Self::LoginRequired => ("login_required", 400),                     // OpenID Connect Core §3.1.2.6
            Self::ConsentRequired => ("consent_required", 400),                 // OpenID Connect Core §3.1.2.6
            Self::RequestNotSupported => ("request_not_supported", 400),        // OpenID Connect Core §3.1.2.6
            Self::RequestUriNotSupported => ("request_uri_not_supported", 400), // OpenID Connect Core §3.1.2.6
            Self::TooManyRequests { .. } => ("temporarily_unavailable", 429),   // RFC 6749 §4.1.2.1; RFC 6585 §4
            Self::TemporarilyUnavailable(_) => ("temporarily_unavailable", 503), // RFC 6749 §4.1.2.1
            Self::ServerError(_) => ("server_error", 500),                      // RFC 6749 §4.1.2.1
            Self::UpstreamDistrusted(fault) => fault.row(),                     // RFC 6749 §4.1.2.1
            Self::LogoutRefused(_) => ("invalid_request", 400),                 // OpenID Connect Back-Channel Logout §2.8
        }
    }

    /// The `error` member.
    pub fn code(&self) -> &'static str {
        self.row().0
    }

    /// The HTTP status where this error is an answer of its own.
    pub fn status(&self) -> u16 {
        self.row().1
    }

    /// The `error_description`: one plain ASCII sentence about the request, the same for all reasons that must look alike.
    pub fn description(&self) -> &'static str {
        match self {
            Self::InvalidRequest(fault) => fault.description(),
            Self::InvalidClient(_) => "client authentication failed, or the client is not known here; register again",
            Self::InvalidGrant(_) => "the code or token is unknown, expired, used, or was issued to another client",
            Self::UnauthorizedClient(_) => "this client may not use this grant type",
            Self::UnsupportedGrantType => "grant_type is not supported here",
            Self::UnsupportedResponseType => "response_type must be code",
            Self::InvalidScope(fault) => fault.description(),
            Self::InvalidTarget(_) => "resource is not one that tokens can be issued for here",
            Self::AccessDenied(fault) => fault.description(),
            Self::InvalidRedirectUri(fault) => fault.description(),
            Self::InvalidClientMetadata(fault) => fault.description(),
            Self::InvalidToken(_) => "the access token is missing, malformed, expired, ended, or was issued for another resource",
            Self::InsufficientScope { .. } => "the access token lacks a scope that this operation needs",
            Self::LoginRequired => "the person must sign in, and prompt forbids asking",
            Self::ConsentRequired => "the person must consent, and prompt forbids asking",
            Self::RequestNotSupported => "the request parameter is not supported",
            Self::RequestUriNotSupported => "the request_uri parameter is not supported",
            Self::TooManyRequests { .. } => "too many requests; try again later",
            Self::TemporarilyUnavailable(_) => "the server cannot answer right now; try again later",
            Self::ServerError(_) => "the server met an unexpected condition",
            Self::UpstreamDistrusted(fault) => fault.description(),
            Self::LogoutRefused(_) => "the logout token is not valid",
        }
    }

    /// The slug that operators and tests tell refusals apart by.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::InvalidRequest(fault) => fault.reason(),
            Self::InvalidClient(fault) | Self::UnauthorizedClient(fault) => fault.reason(),
            Self::InvalidGrant(fault) => fault.reason(),
            Self::InvalidScope(fault) => fault.reason(),
            Self::InvalidTarget(fault) => fault.reason(),
            Self::AccessDenied(fault) => fault.reason(),
            Self::InvalidRedirectUri(fault) => fault.reason(),
            Self::InvalidClientMetadata(fault) => fault.reason(),
            Self::InvalidToken(fault) => fault.reason(),
            Self::UpstreamDistrusted(fault) | Self::LogoutRefused(fault) => fault.reason(),
            Self::UnsupportedGrantType => "grant_type_unsupported",
            Self::UnsupportedResponseType => "response_type_unsupported",
            Self::InsufficientScope { .. } => "scope_insufficient",
            Self::LoginRequired => "login_required",
            Self::ConsentRequired => "consent_required",
            Self::RequestNotSupported => "request_unsupported",
            Self::RequestUriNotSupported => "request_uri_unsupported",
            Self::TooManyRequests { .. } => "rate_limited",
            Self::TemporarilyUnavailable(_) => "unavailable",
            Self::ServerError(_) => "bug",
        }
    }

    /// A sentence for operators: the rule, what was expected, what to do.
    pub fn explanation(&self) -> &'static str {
        match self {
            Self::InvalidRequest(fault) => fault.explanation(),
            Self::InvalidClient(fault) | Self::UnauthorizedClient(fault) => fault.explanation(),
            Self::InvalidGrant(fault) => fault.explanation(),
            Self::InvalidScope(fault) => fault.explanation(),
            Self::InvalidTarget(fault) => fault.explanation(),
            Self::AccessDenied(fault) => fault.explanation(),
            Self::InvalidRedirectUri(fault) => fault.explanation(),
            Self::InvalidClientMetadata(fault) => fault.explanation(),
            Self::InvalidToken(fault) => fault.explanation(),
            Self::UpstreamDistrusted(fault) | Self::LogoutRefused(fault) => fault.explanation(),
            Self::TemporarilyUnavailable(outage) => outage.what,
            Self::ServerError(bug) => bug.what,
            other => other.description(),
        }
    }
}

// Faults that can mean one thing only. RedirectFault and ClientFault have no such line, on purpose: the same fault is
// `invalid_redirect_uri` at registration, a page at /authorize and `invalid_grant` at /token; the caller says which, in one visible word.
macro_rules! means {
    ($($fault:ident => $variant:ident),* $(,)?) => { $(
        impl From<$fault> for Error {
            fn from(fault: $fault) -> Self { Self::$variant(fault) }
        }
    )* };
}
means! {
    RequestFault => InvalidRequest,
    GrantFault => InvalidGrant,
    ScopeFault => InvalidScope,
    TargetFault => InvalidTarget,
    MetadataFault => InvalidClientMetadata,
    TokenFault => InvalidToken,
    Refusal => AccessDenied,
    UpstreamFault => UpstreamDistrusted,
    Outage => TemporarilyUnavailable,
    Bug => ServerError,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 6749 §5.2, RFC 6750 §3.1, RFC 9110 §15.5.
    #[test]
    fn code_and_status_are_those_of_the_rfcs() {
        let rows: [(Error, &str, u16, &str); 14] = [
            (RequestFault::RepeatedParameter.into(), "invalid_request", 400, "parameter_repeated"),
            (RequestFault::HostNotOurs.into(), "invalid_request", 421, "host_not_ours"),
            (RequestFault::BodyTooLarge.into(), "invalid_request", 413, "body_too_large"),
            (RequestFault::SlowBody.into(), "invalid_request", 408, "body_too_slow"),
            (RequestFault::CrossSite.into(), "invalid_request", 403, "cross_site"),
            (Error::InvalidClient(ClientFault::SecretMismatch), "invalid_client", 401, "secret_mismatch"),
            (Error::UnauthorizedClient(ClientFault::GrantTypeNotRegistered), "unauthorized_client", 400, "grant_type_not_registered"),
            (GrantFault::CodeReplayed.into(), "invalid_grant", 400, "code_replayed"),
            (TargetFault::Unknown.into(), "invalid_target", 400, "resource_unknown"),
            (TokenFault::Expired.into(), "invalid_token", 401, "token_expired"),
            (Error::InsufficientScope { needed: Scope::default() }, "insufficient_scope", 403, "scope_insufficient"),
            (Error::TooManyRequests { retry_after: Ttl(3) }, "temporarily_unavailable", 429, "rate_limited"),
            (Outage::new("the store").into(), "temporarily_unavailable", 503, "unavailable"),
            (Bug::new("two heads").into(), "server_error", 500, "bug"),
        ];
        for (error, code, status, reason) in rows {
            assert_eq!((error.code(), error.status(), error.reason()), (code, status, reason));
            assert!(!error.explanation().is_empty() && !error.description().contains(['"', '\\']));
        }
    }

    /// Attack 55: unknown, expired, used and stolen look alike from outside.
    #[test]
    fn grants_clients_and_tokens_are_refused_in_one_voice() {
        let grants = [GrantFault::CodeMalformed, GrantFault::CodeExpired, GrantFault::CodeReplayed, GrantFault::ClientMismatch];
        let mut answers = grants.map(|fault| (Error::from(fault).code(), Error::from(fault).status(), Error::from(fault).description()));
        answers.sort_unstable();
        assert_eq!(answers.first(), answers.last());
        for (one, other) in [
            (Error::InvalidClient(ClientFault::Unknown), Error::InvalidClient(ClientFault::SecretMismatch)),
            (TokenFault::Ended.into(), TokenFault::KeyUnknown.into()),
        ] {
            assert_eq!((one.status(), one.description()), (other.status(), other.description()));
            assert_ne!(one.reason(), other.reason());
        }
    }

    #[test]
    fn the_cause_is_in_the_source_chain_and_not_in_the_text() {
        let error = Error::from(Outage::caused("could not reach the database", std::io::Error::other("disk of host db-7")));
        assert!(!error.to_string().contains("db-7") && !error.description().contains("db-7"));
        let outage = std::error::Error::source(&error).unwrap();
        assert_eq!(outage.to_string(), "could not reach the database");
        assert_eq!(outage.source().unwrap().to_string(), "disk of host db-7");
    }
}
