//! Refusals of the request itself: its form, its parameters, where it came from (`invalid_request`), its scope and its target.

use super::faults;

faults! {
    /// What is wrong with a request, whoever sent it.
    RequestFault says "the request is malformed" {
        MissingParameter(&'static str) = "parameter_missing", "A required parameter is missing or empty (RFC 6749 section 3.1: empty is absent).", say "a required parameter is missing";
        RepeatedParameter = "parameter_repeated", "A parameter came twice (RFC 6749 section 3.1); only resource may repeat.", say "a parameter is included more than once";
        ParameterMalformed(&'static str) = "parameter_malformed", "A parameter has a form that its definition does not allow.", say "a parameter is malformed";
        BodyTooLarge = "body_too_large", "The body is larger than this endpoint ever needs.", say "the body is too large";
        BodyNotAForm = "body_not_a_form", "The body is not application/x-www-form-urlencoded in UTF-8.", say "the body must be application/x-www-form-urlencoded";
        BodyNotJson = "body_not_json", "The body is not JSON, or its Content-Type does not say so.", say "the body must be application/json";
        TooManyParameters = "too_many_parameters", "The request has more parameters than any client sends.", say "there are too many parameters";
        ParameterTooLong = "parameter_too_long", "A parameter is longer than its definition allows here.", say "a parameter is too long";
        ChallengeMissing = "challenge_missing", "The authorization request has no code_challenge; PKCE is required of every client (OAuth 2.1 section 4.1.1).", say "code_challenge is required";
        ChallengeMalformed = "challenge_malformed", "The code_challenge is not the 43 base64url characters of a SHA-256 (RFC 7636 section 4.2).", say "code_challenge must be 43 characters of base64url";
        ChallengeMethodNotS256 = "challenge_method_not_s256", "The code_challenge_method is absent or not S256; plain protects nobody (RFC 7636 section 4.2).", say "code_challenge_method must be S256";
        StateTooLong = "state_too_long", "The state is longer than 4096 bytes.", say "state is too long";
        IdentifierMalformed = "identifier_malformed", "A name that this server made came back in a form that it never has.";
        UnknownClient = "unknown_client_at_authorize", "The client_id of an authorization request is not known, so nobody can be sent back; a page says so.", say "the client is unknown";
        FlowUnknown = "flow_unknown", "The flow is not known: it ended, took longer than lifetimes.flow, or the link was copied. The person must start again from the application.", say "this sign-in is over; start again from the application";
        FlowForAnotherBrowser = "flow_for_another_browser", "The flow was started in another browser: its binding cookie is missing or different. This is how a stolen login link looks.", say "this sign-in belongs to another browser";
        FlowStageMismatch = "flow_stage_mismatch", "The step does not follow the one that the flow is at: an old page was used, or two pages at once.", say "this step is no longer open; start again from the application";
        CsrfMismatch = "csrf_mismatch", "The form's CSRF token is missing or is not the one of this page and browser.", say "the form did not come from this page";
        CrossSite = "cross_site", "A form was posted from another site (Origin or Sec-Fetch-Site).", say "the form came from another site";
        TwoClientAuthentications = "two_client_authentications", "The client authenticated in two ways in one request (RFC 6749 section 2.3), or the two name different clients.", say "use one way of client authentication";
        BearerMalformed = "bearer_malformed", "The Authorization header is not the word Bearer, one space and one token.", say "the Authorization header must be Bearer and one token";
        TwoBearers = "two_bearers", "The request carries more than one Authorization header or token (RFC 6750 section 2).", say "send one access token in one Authorization header";
        HostNotOurs = "host_not_ours", "The Host header names another host than the configured public origin. Set issuer to what clients use, or correct the proxy.", say "this server does not answer for that host";
        OriginNotAllowed = "origin_not_allowed", "The Origin header names a web origin that may not call this resource.", say "this origin is not allowed";
        HeadersTooMany = "headers_too_many", "The request has more or longer headers than any client sends.", say "there are too many headers";
        JsonTooDeep = "json_too_deep", "The JSON is nested deeper than any client sends.", say "the JSON is nested too deeply";
        SlowBody = "slow_body", "The body took longer to arrive than a client needs.", say "the body took too long to arrive";
        PathUnknown = "path_unknown", "There is nothing at this path.", say "there is nothing at this path";
        MethodNotAllowed = "method_not_allowed", "The path exists and does not answer this method.", say "the method is not allowed here";
        EncodingUnsupported = "encoding_unsupported", "The body is compressed, or in a charset other than UTF-8.", say "send the body uncompressed in UTF-8";
        ResponseModeNotQuery = "response_mode_not_query", "The response_mode is not query, the only one that a code needs.", say "response_mode must be query";
        PromptContradicts = "prompt_contradicts", "The prompt is none together with another value (OpenID Connect Core section 3.1.2.1).", say "prompt none cannot be combined";
        MaxAgeMalformed = "max_age_malformed", "The max_age is not a number of seconds.", say "max_age must be a number of seconds";
        TokenTypeUnsupported = "token_type_unsupported", "The token_type_hint or requested type is none that this server has.", say "the token type is not supported";
    }
}

impl RequestFault {
    /// The HTTP status where it is not 400 (RFC 9110 §15.5): what a proxy or a browser understands without reading the body.
    pub const fn status(&self) -> u16 {
        match self {
            Self::CsrfMismatch | Self::CrossSite | Self::FlowForAnotherBrowser | Self::OriginNotAllowed => 403,
            Self::PathUnknown => 404,
            Self::MethodNotAllowed => 405,
            Self::SlowBody => 408,
            Self::BodyTooLarge => 413,
            Self::EncodingUnsupported => 415,
            Self::HostNotOurs => 421,
            Self::HeadersTooMany => 431,
            _ => 400,
        }
    }
}

faults! {
    /// What is wrong with a scope (RFC 6749 §3.3).
    ScopeFault says "the scope is malformed, unknown or wider than allowed" {
        Malformed = "scope_malformed", "The scope has characters that RFC 6749 section 3.3 does not allow.";
        TooLong = "scope_too_long", "The scope has more than 64 tokens or 1024 bytes.";
        Wider = "scope_wider", "The request asks for more than was granted (RFC 6749 section 6); the person must consent to more.";
        NothingLeft = "scope_nothing_left", "None of the requested scopes exists for this resource.";
    }
}

faults! {
    /// What is wrong with a `resource` (RFC 8707 §2).
    TargetFault says "the resource is malformed, unknown or not granted" {
        Malformed = "resource_malformed", "The resource is not an absolute http or https URL without fragment.";
        Unknown = "resource_unknown", "The resource is none that this server makes tokens for. Compare what the client sends with the resource of the published metadata.";
        NotGranted = "resource_not_granted", "The grant was made for another resource.";
        Several = "resource_several", "More than one resource was asked for; a token of ours is for exactly one.", say "ask for one resource at a time";
    }
}
