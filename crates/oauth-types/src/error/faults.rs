//! The reasons, one enum for each thing that can be wrong. Each is `Copy` and knows its slug and its sentence for operators.

macro_rules! faults {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident $(($arg:ty))? => $slug:literal, $text:literal;)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[expect(missing_docs, reason = "each variant's sentence stands beside it in `explanation`")]
        pub enum $name { $($(#[$vdoc])* $variant $(($arg))?,)* }

        impl $name {
            /// The slug: stable, for logs, tests and `explain`.
            pub fn reason(self) -> &'static str {
                match self { $(faults!(@pattern $name $variant $($arg)?) => $slug,)* }
            }

            /// The sentence for operators.
            pub fn explanation(self) -> &'static str {
                match self { $(faults!(@pattern $name $variant $($arg)?) => $text,)* }
            }

            #[cfg(test)]
            pub(super) const TEXTS: &[(&'static str, &'static str)] = &[$(($slug, $text),)*];
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result { f.write_str(self.explanation()) }
        }

        impl std::error::Error for $name {}
    };
    (@pattern $name:ident $variant:ident) => { $name::$variant };
    (@pattern $name:ident $variant:ident $arg:ty) => { $name::$variant(_) };
}

pub(super) use faults;

faults! {
    /// Why a request was refused before its meaning mattered.
    RequestFault {
        MissingParameter(&'static str) => "parameter_missing", "a required parameter is missing";
        MalformedParameter(&'static str) => "parameter_malformed", "a parameter has a value that its definition does not allow";
        RepeatedParameter => "parameter_repeated", "a parameter stands more than once (RFC 6749 section 3.1)";
        TooManyParameters => "parameters_too_many", "there are more parameters than any known client sends";
        ParameterTooLong => "parameter_too_long", "a parameter is longer than its limit";
        BodyTooLarge => "body_too_large", "the body is larger than its limit";
        BodyNotAForm => "body_not_a_form", "the body must be application/x-www-form-urlencoded";
        BodyNotJson => "body_not_json", "the body must be a JSON object, sent as application/json";
        JsonTooDeep => "json_too_deep", "the JSON is nested deeper than its limit";
        SlowBody => "body_too_slow", "the body did not arrive in time";
        HeadersTooMany => "headers_too_many", "there are more headers, or longer ones, than any known client sends";
        ChallengeMissing => "challenge_missing", "code_challenge is required (OAuth 2.1 section 4.1.1)";
        ChallengeMalformed => "challenge_malformed", "code_challenge must be 43 characters of base64url (RFC 7636 section 4.2)";
        ChallengeMethodNotS256 => "challenge_method_not_s256", "code_challenge_method must be S256";
        StateTooLong => "state_too_long", "state is longer than its limit";
        ResponseModeUnsupported => "response_mode_unsupported", "response_mode must be query";
        PromptMalformed => "prompt_malformed", "prompt has a value or a combination that OpenID Connect Core section 3.1.2.1 does not allow";
        UnknownClient => "client_unknown", "no client of this client_id is registered here, or it was removed";
        DeletedClient => "client_deleted", "the client of this client_id was deregistered or swept; it must register again";
        FlowUnknown => "flow_unknown", "the flow does not exist, has expired or has ended; the person must start again at the client";
        FlowForAnotherBrowser => "flow_for_another_browser", "the flow was begun in another browser: the binding cookie is missing or differs";
        TooManyFlows => "flows_too_many", "this browser has more flows in progress than its limit";
        CsrfMismatch => "csrf_mismatch", "the form's token is missing or belongs to another flow or session";
        CrossSite => "cross_site", "the form was sent by a page of another origin";
        TwoClientAuthentications => "client_authentication_twice", "the client authenticated in two ways at once (RFC 6749 section 2.3)";
        BearerMalformed => "bearer_malformed", "the Authorization header is not one Bearer token";
        TwoBearers => "bearer_twice", "the token came in two ways at once (RFC 6750 section 2)";
        HostNotOurs => "host_not_ours", "the Host header names somebody else; set server.public_url if it is yours";
        OriginNotAllowed => "origin_not_allowed", "the Origin header names a site that may not call here";
        NotFound => "not_found", "there is nothing at this path";
        MethodNotAllowed => "method_not_allowed", "this path does not answer this method";
        NotTheProxy => "not_the_proxy", "only an address in server.trusted_proxies may ask about a request in its hands";
        ForwardedMalformed => "forwarded_malformed", "the proxy must say X-Forwarded-Method, -Proto, -Host and -Uri, each once";
        SchemeNotOurs => "scheme_not_ours", "the request reached the proxy by another scheme than that of server.public_url";
        PathAmbiguous => "path_ambiguous", "the path has encoded separators, dot segments or another form that two readers read in two ways";
        ServiceUnknown => "service_unknown", "no service of this name is registered here";
    }
}

impl RequestFault {
    /// RFC 9110 §15.5.
    pub(super) fn status(self) -> u16 {
        match self {
            Self::BodyTooLarge => 413,
            Self::SlowBody => 408,
            Self::HeadersTooMany => 431,
            Self::FlowForAnotherBrowser | Self::CsrfMismatch | Self::CrossSite | Self::OriginNotAllowed => 403,
            Self::HostNotOurs | Self::SchemeNotOurs => 421,
            Self::NotFound | Self::NotTheProxy | Self::ServiceUnknown => 404,
            Self::MethodNotAllowed => 405,
            Self::TooManyFlows => 429,
            _ => 400,
        }
    }

    /// What the client may read.
    pub(super) fn description(self) -> &'static str {
        match self {
            Self::FlowForAnotherBrowser | Self::CsrfMismatch | Self::CrossSite => {
                "the form was not sent from the page that this server showed"
            }
            // Who may not ask does not learn that there is something to be asked.
            Self::NotTheProxy | Self::ServiceUnknown => Self::NotFound.explanation(),
            other => other.explanation(),
        }
    }
}

faults! {
    /// Why a client was not believed, or may not do this.
    ClientFault {
        Unknown => "client_unknown", "no client of this client_id is registered here";
        Deleted => "client_deleted", "the client was deregistered or swept; it must register again";
        NotNamed => "client_not_named", "neither client_id nor an Authorization header names a client";
        SecretMissing => "secret_missing", "the client is confidential and sent no secret";
        SecretMismatch => "secret_mismatch", "the secret is not the client's";
        SecretExpired => "secret_expired", "the client's secret has expired";
        MethodMismatch => "method_mismatch", "the client authenticated by another method than it registered";
        PublicClientSentSecret => "public_client_sent_secret", "the client is public and has no secret, but sent one";
        BasicMalformed => "basic_malformed", "the Basic credentials are not base64 of id and secret";
        NamesDiffer => "client_names_differ", "the Authorization header and the body name different clients";
        GrantTypeNotRegistered => "grant_type_not_registered", "the client did not register this grant type";
        RegistrationTokenMismatch => "registration_token_mismatch", "the registration access token is not this client's";
        NotTheTokensClient => "not_the_tokens_client", "the token was issued to another client";
        NotAResourceServer => "not_a_resource_server", "only a protected resource with credentials of its own may ask this";
    }
}

faults! {
    /// Why a grant was refused. All of these look the same from outside; the log and the tests tell them apart.
    GrantFault {
        CodeMalformed => "code_malformed", "the code was not made by this server";
        CodeExpired => "code_expired", "the code was presented too late";
        CodeReplayed => "code_replayed", "the code was used before, so its grant has ended (OAuth 2.1 section 4.1.3)";
        ClientMismatch => "client_mismatch", "the code or token was issued to another client";
        RedirectMismatch => "redirect_mismatch", "redirect_uri is not the one of the authorization request";
        VerifierMissing => "verifier_missing", "code_verifier is missing";
        VerifierMalformed => "verifier_malformed", "code_verifier is not 43 to 128 unreserved characters";
        VerifierMismatch => "verifier_mismatch", "code_verifier does not match the code_challenge (RFC 7636 section 4.6)";
        ChallengeMissing => "challenge_missing", "the code was issued without a challenge";
        RefreshMalformed => "refresh_malformed", "the refresh token was not made by this server";
        RefreshUnknown => "refresh_unknown", "no grant has this refresh token";
        RefreshExpired => "refresh_expired", "the refresh token was not used for too long, or its grant is past its life";
        RefreshReused => "refresh_reused", "a refresh token came back after its successor was used or its overlap was over, so its grant has ended";
        RotationLost => "rotation_lost", "the refresh token is newer than what is stored: the database was restored or failed over";
        OverlapExhausted => "overlap_exhausted", "the rotated refresh token was answered again as often as refresh.overlap_answers allows";
        GrantEnded => "grant_ended", "the grant was ended";
        SubjectDisabled => "subject_disabled", "the person was disabled or signed out everywhere";
        ClientEnded => "client_ended", "the client was deregistered";
        UpstreamEnded => "upstream_ended", "the person's sign-in was ended";
        NothingAllowed => "nothing_allowed", "the rules leave the person none of the scopes that they granted, so the grant has ended";
    }
}

faults! {
    /// Why a scope was refused.
    ScopeFault {
        Malformed => "scope_malformed", "scope must be tokens of the RFC 6749 section 3.3 alphabet, separated by spaces";
        TooLong => "scope_too_long", "scope has more tokens or characters than its limit";
        Wider => "scope_wider", "scope must not go beyond what was granted";
        NothingLeft => "scope_nothing_left", "none of the scopes asked for is known for this resource";
    }
}

impl ScopeFault {
    pub(super) fn description(self) -> &'static str {
        self.explanation()
    }
}

faults! {
    /// Why a resource was refused (RFC 8707 §2).
    TargetFault {
        Malformed => "resource_malformed", "resource must be an absolute URI without fragment";
        Unknown => "resource_unknown", "resource is none of the configured ones";
        NotGranted => "resource_not_granted", "resource is not the one that was granted";
        Several => "resource_several", "one resource at a time";
    }
}

/// The same reasons under the name of the value.
pub type ResourceFault = TargetFault;

faults! {
    /// Who said no.
    Refusal {
        ByPerson => "refused_by_person", "the person refused";
        NotLetIn => "person_not_let_in", "no [[rule]] lets this person in, or one keeps them out; see [people]";
        SignInNotFresh => "sign_in_not_fresh", "the client wants a newer sign-in, and the identity provider gave an older one or does not say how old it is";
        PersonDisabled => "person_disabled", "the person was disabled here";
        NothingAllowed => "policy_nothing_allowed", "policy allows this person none of the scopes asked for";
        TooManyPasswords => "passwords_too_many", "too many wrong passwords were given on one page";
        RegistrationClosed => "registration_closed", "registration.mode is closed";
        SignedOutUpstream => "upstream_signed_out", "the identity provider said that this session is over before it began here";
        ByUpstream => "refused_upstream", "the person refused to sign in, or the identity provider refused them";
    }
}

impl Refusal {
    pub(super) fn description(self) -> &'static str {
        match self {
            Self::RegistrationClosed => "registration is closed here; ask the operator for a client_id",
            Self::NotLetIn | Self::NothingAllowed => "this account may not use this server; ask the people who run it",
            _ => "the request was refused",
        }
    }
}

faults! {
    /// Why a redirect URI was refused.
    RedirectFault {
        Malformed => "redirect_malformed", "redirect_uri is not a URI that every parser reads alike";
        Relative => "redirect_relative", "redirect_uri must be absolute";
        Fragment => "redirect_fragment", "redirect_uri must not have a fragment (RFC 6749 section 3.1.2)";
        Userinfo => "redirect_userinfo", "redirect_uri must not have user information";
        Wildcard => "redirect_wildcard", "redirect_uri must not have wildcards";
        SchemeForbidden => "redirect_scheme_forbidden", "the scheme of redirect_uri runs code or reads local content";
        SchemeNotAllowed => "redirect_scheme_not_allowed", "the scheme of redirect_uri is neither https, nor http on loopback, nor an allowed private-use scheme";
        HttpOffLoopback => "redirect_http_off_loopback", "http is for loopback only (localhost, 127.0.0.1, [::1])";
        HostNotAllowed => "redirect_host_not_allowed", "policy does not allow callbacks to this host";
        Backslash => "redirect_backslash", "redirect_uri must not have backslashes, spaces or control characters";
        DotSegments => "redirect_dot_segments", "redirect_uri must not have dot segments";
        TooLong => "redirect_too_long", "redirect_uri is longer than its limit";
        NotRegistered => "redirect_not_registered", "redirect_uri is none of the registered ones";
        Missing => "redirect_missing", "redirect_uri is missing and the client has not exactly one";
    }
}

impl RedirectFault {
    pub(super) fn description(self) -> &'static str {
        self.explanation()
    }
}

faults! {
    /// Why client metadata was refused (RFC 7591 §3.2.2).
    MetadataFault {
        NotAnObject => "metadata_not_an_object", "client metadata must be one JSON object";
        TooManyRedirectUris => "redirect_uris_too_many", "there are more redirect_uris than the limit";
        RedirectUrisMissing => "redirect_uris_missing", "redirect_uris is required for the authorization_code grant";
        NameTooLong => "name_too_long", "client_name is longer than its limit";
        NameHasControlCharacters => "name_has_control_characters", "client_name has control, direction or invisible characters";
        NameProtected => "name_protected", "client_name claims a known product, but no redirect_uri is of that product";
        UriNotHttps => "uri_not_https", "client_uri, logo_uri, tos_uri, policy_uri and jwks_uri must be https";
        AuthMethodUnknown => "auth_method_unknown", "token_endpoint_auth_method is none of those in the metadata";
        GrantTypesUnusable => "grant_types_unusable", "grant_types has nothing that this server offers to strangers";
        ResponseTypesUnusable => "response_types_unusable", "response_types must have code";
        BothKeyMembers => "both_key_members", "jwks and jwks_uri must not stand together";
        ForbiddenMember(&'static str) => "member_forbidden", "the request has a member that only this server may set";
        ClientIdMismatch => "client_id_mismatch", "client_id is not that of the client being changed";
        ScopeMalformed => "scope_malformed", "scope is not a list of scope tokens";
        MemberMalformed(&'static str) => "member_malformed", "a member has the wrong JSON type";
        TooLong(&'static str) => "member_too_long", "a member is longer than its limit";
        PendingTooMany => "pending_too_many", "registration.pending_max clients wait for their first use";
    }
}

impl MetadataFault {
    pub(super) fn description(self) -> &'static str {
        self.explanation()
    }
}

faults! {
    /// Why an access token was refused.
    TokenFault {
        Missing => "token_missing", "the request has no access token";
        TooLong => "token_too_long", "the token is longer than its limit";
        Malformed => "token_malformed", "the token is not a signed JWT in compact form";
        TypeNotAccessToken => "token_type_mismatch", "typ is not at+jwt (RFC 9068 section 4)";
        AlgorithmMismatch => "token_algorithm_mismatch", "alg is not the algorithm of the key that kid names";
        CriticalHeader => "token_critical_header", "crit names an extension that is not understood";
        KeyUnknown => "token_key_unknown", "kid names no key of the issuer";
        SignatureMismatch => "token_signature_mismatch", "the signature does not verify";
        IssuerMismatch => "token_issuer_mismatch", "iss is not the configured issuer, byte for byte";
        AudienceMismatch => "token_audience_mismatch", "aud is not exactly this resource";
        Expired => "token_expired", "exp is in the past";
        NotYetValid => "token_not_yet_valid", "nbf is in the future";
        IssuedInFuture => "token_issued_in_future", "iat is in the future";
        LivesTooLong => "token_lives_too_long", "the token lives longer than any that the issuer makes";
        ClaimMissing(&'static str) => "token_claim_missing", "a claim that RFC 9068 section 2.2 requires is missing";
        ClaimMalformed(&'static str) => "token_claim_malformed", "a claim has the wrong type";
        RegistrationTokenMismatch => "registration_token_mismatch", "the registration access token is not this client's";
        RegistrationClientUnknown => "registration_client_unknown", "a registration access token was shown for a client that is not here, or no longer";
        Ended => "token_ended", "the token, or the grant, client, person or sign-in behind it, was ended";
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [(&str, &[(&str, &str)]); 10] = [
        ("RequestFault", RequestFault::TEXTS),
        ("ClientFault", ClientFault::TEXTS),
        ("GrantFault", GrantFault::TEXTS),
        ("ScopeFault", ScopeFault::TEXTS),
        ("TargetFault", TargetFault::TEXTS),
        ("Refusal", Refusal::TEXTS),
        ("RedirectFault", RedirectFault::TEXTS),
        ("MetadataFault", MetadataFault::TEXTS),
        ("TokenFault", TokenFault::TEXTS),
        ("UpstreamFault", crate::UpstreamFault::TEXTS),
    ];

    #[test]
    fn a_reason_names_one_fault_of_its_list() {
        for (list, texts) in ALL {
            let mut seen = std::collections::HashSet::new();
            for (slug, _) in texts {
                assert!(slug.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_'), "{list}: {slug}");
                assert!(seen.insert(slug), "{list} has {slug} twice");
            }
        }
    }

    /// RFC 6749 §5.2: error_description is %x20-21 / %x23-5B / %x5D-7E, and several of these sentences become one.
    #[test]
    fn every_sentence_is_plain_ascii_without_quotes() {
        for (list, texts) in ALL {
            for (slug, text) in texts {
                let is_plain = text.bytes().all(|b| matches!(b, 0x20..=0x7e) && b != b'"' && b != b'\\');
                assert!(is_plain && !text.is_empty(), "{list} {slug}: {text}");
            }
        }
    }
}
