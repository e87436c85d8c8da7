//! Refusals of access tokens at a protected resource (RFC 6750 §3.1 `invalid_token`, RFC 9068 §4).

use super::faults;

faults! {
    /// Why an access token does not open the door.
    TokenFault says "the access token is missing, malformed, expired, revoked or not for this resource" {
        Missing = "token_missing", "The request carries no Authorization header. This is how every client begins; the challenge tells it where to go.";
        Malformed = "token_malformed", "The token is not three base64url parts with JSON inside, or is longer than any of ours.";
        TypeNotAccessToken = "token_type_not_access_token", "The header's typ is not at+jwt: an ID token or another JWT was sent in place of an access token (RFC 9068 section 4).";
        AlgorithmMismatch = "token_algorithm_mismatch", "The header's alg is not the algorithm of the key that it names. The algorithm is fixed by the key, never by the token.";
        KeyUnknown = "token_key_unknown", "The header's kid names no published key of the issuer: the token is from another issuer, or its key was retired.";
        SignatureMismatch = "token_signature_mismatch", "The signature is not that of the named key over this token.";
        IssuerMismatch = "token_issuer_mismatch", "The iss claim is not, character for character, the issuer that this resource trusts.";
        AudienceMismatch = "token_audience_mismatch", "The aud claim is not exactly this resource: the token was made for somebody else (RFC 8707), or the client asked for another resource URL than the published one.";
        Expired = "token_expired", "The token is past its exp.";
        NotYetValid = "token_not_yet_valid", "The token's nbf is in the future; look at the clocks of both machines.";
        IssuedInFuture = "token_issued_in_future", "The token's iat is in the future; look at the clocks of both machines.";
        LivesTooLong = "token_lives_too_long", "The token's exp is further away than any token of ours may live.";
        ClaimMissing(&'static str) = "token_claim_missing", "A claim that RFC 9068 section 2.2 requires is missing, so this is no access token of ours.";
        CriticalHeader = "token_critical_header", "The header has crit, and there is no extension that this resource understands (RFC 7515 section 4.1.11).";
        Ended = "token_ended", "The token's grant, client, person or sign-in was ended before the token ran out.";
        NotForThisResource = "token_not_for_this_endpoint", "The token is good, and was made for another resource than the endpoint that was asked.";
    }
}
