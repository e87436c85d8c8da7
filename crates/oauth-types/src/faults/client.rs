//! Refusals of clients (`invalid_client`, `unauthorized_client`) and of what a person or a policy did not allow (`access_denied`).

use super::faults;

faults! {
    /// Why a client was not believed, or may not do what it asks.
    ClientFault says "client authentication failed, or the client is unknown or may not do this" {
        Malformed = "client_id_malformed", "The client_id is neither a registered id nor an https URL with a path.";
        Unknown = "client_unknown", "No client with this id is registered here. Its registration may have expired unused, or it was made at another server; the client must register again.";
        Deleted = "client_deleted", "The client was deleted, and everything it was allowed ended with it. It must register again.";
        SecretMissing = "client_secret_missing", "The client is registered with a secret and sent none.";
        SecretMismatch = "client_secret_mismatch", "The client secret is wrong.";
        SecretExpired = "client_secret_expired", "The client secret is past its client_secret_expires_at; the client must register again or update itself.";
        MethodMismatch = "client_method_mismatch", "The client authenticated in another way than the token_endpoint_auth_method it registered.";
        PublicClientSentSecret = "public_client_sent_secret", "The client is registered with the method none, and sent a secret.";
        BasicMalformed = "basic_malformed", "The Authorization header says Basic and is not base64 of an id and a secret.";
        GrantTypeNotRegistered = "grant_type_not_registered", "The client did not register for this grant_type (RFC 7591 section 2).";
        ResponseTypeNotRegistered = "response_type_not_registered", "The client did not register for this response_type (RFC 7591 section 2).";
        RegistrationTokenMismatch = "registration_token_mismatch", "The registration access token is wrong, or belongs to another client (RFC 7592 section 2).";
        NotTheTokensClient = "not_the_tokens_client", "The client asked to revoke a token of another client. Nothing was changed (RFC 7009 section 2.1).";
        NotAResourceServer = "not_a_resource_server", "Only a configured resource server may introspect tokens or follow endings; this client is none.";
        NotTheTokensResource = "not_the_tokens_resource", "The resource server asked about a token that was made for another resource.";
        AuthenticationMissing = "client_authentication_missing", "This endpoint answers authenticated clients only, and the request carried no credentials.";
        RegistrationClosed = "registration_closed", "Dynamic registration is switched off (registration.open); an administrator registers clients.";
        DocumentUnavailable = "client_document_unavailable", "The client_id is a URL, and its metadata document could not be fetched or is not accepted here.";
        ManagedElsewhere = "client_managed_elsewhere", "The client was set up by an administrator or describes itself by a document; it cannot be managed by registration requests.";
    }
}

faults! {
    /// Who said no at the authorization endpoint, though the request was well made.
    Refusal says "the request was not allowed" {
        ByPerson = "denied_by_person", "The person pressed the button that denies.", say "the person did not allow it";
        ByPolicy = "denied_by_policy", "A rule of this server does not allow this client, person, scope and resource together.";
        PolicyNothingAllowed = "policy_left_nothing", "Policy took every requested scope away, so there was nothing left to grant.";
        SubjectDisabled = "person_disabled", "The person who signed in is disabled here.";
        TooManyPasswords = "too_many_passwords", "Too many wrong passwords for this account and source; the wait is accounts.attempts_window.";
        ConsentWithdrawn = "consent_withdrawn", "The client changed its metadata while the person was deciding, so the decision does not count.";
    }
}
