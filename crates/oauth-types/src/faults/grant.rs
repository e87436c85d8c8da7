//! Refusals of codes and refresh tokens (RFC 6749 §5.2 `invalid_grant`).

use super::faults;

faults! {
    /// Why a code or a refresh token was refused. All look the same from outside; the log and the tests tell them apart.
    GrantFault says "the code or refresh token is unknown, expired, used or not for this client" {
        CodeUnknown = "code_unknown", "The code was not made by this server, or its grant is long gone. The client must start again at the authorization endpoint.";
        CodeExpired = "code_expired", "The code was redeemed after its life time, which is short on purpose. If honest clients meet this, look at their clocks and network, or raise lifetimes.code.";
        CodeReplayed = "code_replayed", "The code had been redeemed before, and this second redemption was otherwise valid, so two parties hold it. The whole grant was ended (OAuth 2.1 section 4.1.3).";
        ClientMismatch = "client_mismatch", "The code or refresh token belongs to another client than the one that presented it. Nothing was changed.";
        RedirectMismatch = "redirect_mismatch", "The redirect_uri in the token request is not the one that the code was issued for. The client must send the same string, or none.";
        VerifierMissing = "verifier_missing", "The code was issued for a code_challenge, and the token request had no code_verifier (RFC 7636 section 4.5).";
        VerifierMalformed = "verifier_malformed", "The code_verifier is not 43 to 128 unreserved characters (RFC 7636 section 4.1).";
        VerifierMismatch = "verifier_mismatch", "The code_verifier does not hash to the code_challenge of the authorization request (RFC 7636 section 4.6). Either the client mixed two flows, or somebody else holds the code.";
        ChallengeMissing = "challenge_missing_for_verifier", "A code_verifier was sent for a code that has no code_challenge. This is how a PKCE downgrade looks (RFC 9700 section 4.8.2).";
        RefreshUnknown = "refresh_unknown", "The refresh token was not made by this server, or its grant is long gone. The client must send the person through the authorization endpoint again.";
        RefreshExpired = "refresh_expired", "The refresh token was not used for longer than lifetimes.refresh_token. The person must sign in again.";
        RefreshReused = "refresh_reused", "A refresh token was presented again after its successor had been used or the overlap was past, so two parties hold it. The whole grant was ended (RFC 9700 section 4.14.2).";
        RotationLost = "rotation_lost", "The refresh token is newer than what the store knows: the store was restored from a backup, or a failover lost seconds. Nothing was ended; the person must sign in again.";
        OverlapExhausted = "overlap_exhausted", "A rotated refresh token was answered again more often than refresh.overlap_answers allows. Nothing was ended; look for a client that loops.";
        GrantExpired = "grant_expired", "The grant reached its whole life time (lifetimes.grant). The person must sign in again.";
        GrantEnded = "grant_ended", "The grant behind this code or token was ended: revoked, signed out, or ended by a replay. The audit trail says by whom.";
        SubjectDisabled = "subject_disabled", "The person behind this grant is disabled or was signed out everywhere after it was made.";
    }
}
