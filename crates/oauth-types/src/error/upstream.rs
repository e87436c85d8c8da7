//! Why an identity provider was not believed: OpenID Connect Core §3.1.3.7, Discovery §4.3, Back-Channel Logout §2.6, RFC 9207 §2.4.

use super::faults::faults;

faults! {
    /// Why an answer of an identity provider was not believed. Outside they are two sentences; the log tells them apart.
    UpstreamFault {
        StateUnknown => "upstream_state_unknown", "state of the callback is none that we gave, or not of this browser's flow";
        CallbackMalformed => "upstream_callback_malformed", "the callback has neither one code nor one error, or a value longer than its limit";
        CallbackIssuerMissing => "upstream_callback_issuer_missing", "the provider advertises iss in its answers, and this one has none (RFC 9207 section 2.4)";
        CallbackIssuerMismatch => "upstream_callback_issuer_mismatch", "iss of the callback is not the provider that the person was sent to (RFC 9207 section 2.4)";
        NonceMismatch => "upstream_nonce_mismatch", "nonce of the ID token is not the one of this flow: the code belongs to another sign-in";
        RequestRefused => "upstream_request_refused", "the provider refused our authorization request; check client_id, scopes and the registered redirect URI";
        CredentialsRefused => "upstream_credentials_refused", "the provider refused client_id or client_secret";
        CodeRefused => "upstream_code_refused", "the provider refused its own code: used, expired, or of another client";
        StatusUnexpected => "upstream_status_unexpected", "the provider answered with a status that this call does not have";
        Redirected => "upstream_redirected", "the provider redirected a call of ours; redirects are never followed";
        TooLarge => "upstream_too_large", "an answer of the provider is larger than its limit";
        Malformed => "upstream_malformed", "an answer of the provider is not what its specification says";
        IssuerMismatch => "upstream_issuer_mismatch", "iss or issuer is not the configured issuer, byte for byte";
        EndpointMissing => "upstream_endpoint_missing", "the discovery document lacks an endpoint that we need";
        EndpointForeign => "upstream_endpoint_foreign", "an endpoint of the discovery document is not at the issuer's origin, nor at backchannel_origin";
        EndpointInsecure => "upstream_endpoint_insecure", "an endpoint of the discovery document is not https";
        KeySetUnusable => "upstream_key_set_unusable", "the key set has no key that we may use, or more than its limit";
        IdTokenMissing => "upstream_id_token_missing", "the token answer has no ID token";
        IdTokenMalformed => "upstream_id_token_malformed", "the token is no signed JWT in compact form with the claims that it must have";
        IdTokenUnsigned => "upstream_id_token_unsigned", "alg is none";
        AlgorithmForbidden => "upstream_algorithm_forbidden", "alg is not one of upstream.algorithms";
        HeaderForbidden => "upstream_header_forbidden", "typ, cty or crit of the header is not that of such a token";
        KeyUnknown => "upstream_key_unknown", "kid names no key of the provider, or more than one";
        SignatureMismatch => "upstream_signature_mismatch", "the signature does not verify";
        AudienceMismatch => "upstream_audience_mismatch", "aud lacks our client_id, or has an audience that upstream.trusted_audiences does not name";
        AzpMismatch => "upstream_azp_mismatch", "azp is not our client_id, or is missing beside several audiences";
        Expired => "upstream_expired", "exp is in the past";
        IssuedInFuture => "upstream_issued_in_future", "iat is in the future";
        IssuedLongAgo => "upstream_issued_long_ago", "iat is too long ago";
        AuthTimeMissing => "upstream_auth_time_missing", "max_age was asked for and auth_time is missing";
        AuthTimeTooOld => "upstream_auth_time_too_old", "auth_time is longer ago than max_age, or in the future";
        AccessTokenMismatch => "upstream_access_token_mismatch", "at_hash is not of the access token that came along";
        SubjectMalformed => "upstream_subject_malformed", "sub is empty or longer than its limit";
        SubjectChanged => "upstream_subject_changed", "UserInfo speaks about another person than the ID token";
        ClaimsTooLarge => "upstream_claims_too_large", "the claims about the person are more, or longer, than their limits";
        LogoutUnsupported => "upstream_logout_unsupported", "this kind of provider sends no logout tokens";
        LogoutEventMissing => "upstream_logout_event_missing", "events lacks the back-channel logout event";
        LogoutWithNonce => "upstream_logout_with_nonce", "a logout token must have no nonce: this is an ID token";
        LogoutOfNobody => "upstream_logout_of_nobody", "a logout token must have sub, sid or both";
        LogoutReplayed => "upstream_logout_replayed", "this logout token came before; what it ordered is done";
        LogoutUnnamed => "upstream_logout_unnamed", "a logout token must have a jti within its limit";
    }
}

impl UpstreamFault {
    /// Is the browser's request wrong, rather than the provider? Then the person starts again, and no client is told anything.
    pub fn is_of_the_browser(self) -> bool {
        matches!(
            self,
            Self::StateUnknown | Self::CallbackMalformed | Self::CallbackIssuerMissing | Self::CallbackIssuerMismatch | Self::NonceMismatch
        )
    }

    /// Code and status, for the table.
    pub(super) fn row(self) -> (&'static str, u16) {
        if self.is_of_the_browser() { ("invalid_request", 400) } else { ("server_error", 502) }
    }

    pub(super) fn description(self) -> &'static str {
        if self.is_of_the_browser() {
            "the answer of the identity provider does not belong to this sign-in; start again"
        } else {
            "the identity provider gave an answer that cannot be trusted"
        }
    }
}
