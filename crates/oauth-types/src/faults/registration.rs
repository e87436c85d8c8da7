//! Refusals of redirect URIs and client metadata (RFC 7591 §3.2.2), and of issuer URLs in a configuration.

use super::faults;

faults! {
    /// Why a redirect URI is not one that we send people to.
    RedirectFault says "the redirect_uri is not acceptable" {
        Malformed = "redirect_malformed", "The redirect_uri is not a URI of RFC 3986.", say "redirect_uri is not a valid URI";
        TooLong = "redirect_too_long", "The redirect_uri is longer than 2048 bytes.", say "redirect_uri is too long";
        Relative = "redirect_relative", "The redirect_uri has no scheme; only absolute URIs name a place (RFC 6749 section 3.1.2).", say "redirect_uri must be absolute";
        Fragment = "redirect_fragment", "The redirect_uri has a fragment (RFC 6749 section 3.1.2).", say "redirect_uri must not have a fragment";
        Userinfo = "redirect_userinfo", "The redirect_uri has a user name before its host, which makes one host look like another.", say "redirect_uri must not have userinfo";
        Wildcard = "redirect_wildcard", "The redirect_uri has an asterisk; redirect URIs are compared as strings, never as patterns (RFC 9700 section 4.1.3).", say "redirect_uri must not have wildcards";
        Backslash = "redirect_backslash", "The redirect_uri has a backslash, which browsers read as a slash.", say "redirect_uri must not have backslashes";
        NotAscii = "redirect_not_ascii", "The redirect_uri has characters outside ASCII; an international host is written in its xn-- form.", say "redirect_uri must be ASCII";
        NotLowerCase = "redirect_not_lower_case", "The scheme or host of the redirect_uri has capitals; redirect URIs are compared as strings.", say "scheme and host of redirect_uri must be lower-case";
        DotSegments = "redirect_dot_segments", "The path of the redirect_uri has a dot segment, plain or percent-encoded, which names another path than it shows.", say "redirect_uri must not have dot segments";
        EncodedSeparator = "redirect_encoded_separator", "The path of the redirect_uri has a percent-encoded slash, backslash or control character.", say "redirect_uri must not have encoded separators";
        PortMalformed = "redirect_port_malformed", "The port of the redirect_uri is not a number from 1 to 65535 without leading zeros.", say "the port of redirect_uri is not valid";
        SchemeForbidden = "redirect_scheme_forbidden", "The scheme of the redirect_uri runs or shows something in place of going somewhere (javascript, data, file and their like).", say "the scheme of redirect_uri is forbidden";
        HttpOffLoopback = "redirect_http_off_loopback", "Plain http is for localhost, 127.0.0.1 and [::1] only (RFC 8252 section 8.3).", say "redirect_uri must be https, or http on localhost";
        SchemeNotAllowed = "redirect_scheme_not_allowed", "The private-use scheme is not on the operator's list registration.private_use_schemes.", say "the scheme of redirect_uri is not allowed here";
        HostNotAllowed = "redirect_host_not_allowed", "An https redirect_uri must name a public host: no IP address, no localhost; or the operator does not allow unknown hosts.", say "the host of redirect_uri is not allowed here";
        NotRegistered = "redirect_not_registered", "The redirect_uri is not, character for character, one that the client registered; for loopback only the port may differ.", say "redirect_uri is not registered for this client";
        Ambiguous = "redirect_ambiguous", "The client registered several redirect URIs and the request names none.", say "redirect_uri is required";
    }
}

faults! {
    /// Why client metadata was refused (RFC 7591 §2).
    MetadataFault says "the client metadata is not acceptable" {
        NotAnObject = "metadata_not_an_object", "The body is JSON, and not an object of the members of RFC 7591 section 2.", say "client metadata must be a JSON object";
        MemberMalformed(&'static str) = "metadata_member_malformed", "A member of the client metadata has another type or form than RFC 7591 section 2 says.", say "a member of the client metadata has the wrong type";
        TooManyRedirectUris = "metadata_too_many_redirect_uris", "The client names more redirect URIs than any client has.", say "there are too many redirect_uris";
        RedirectUrisMissing = "metadata_redirect_uris_missing", "A client of the code grant must name at least one redirect URI (RFC 7591 section 2).", say "redirect_uris is required";
        NameTooLong = "metadata_name_too_long", "The client_name is longer than a page can show.", say "client_name is too long";
        NameHasControlCharacters = "metadata_name_control_characters", "The client_name has control, invisible or direction-changing characters, which make one name look like another.", say "client_name has characters that are not allowed";
        NameProtected = "metadata_name_protected", "The client_name is that of a well-known product, and the redirect URIs do not belong to it.", say "client_name is reserved";
        UriNotHttps = "metadata_uri_not_https", "A link in the client metadata is not an https URL.", say "links in client metadata must be https";
        AuthMethodUnknown = "metadata_auth_method_unknown", "The token_endpoint_auth_method is none that this server has.", say "token_endpoint_auth_method is not supported";
        GrantTypesUnusable = "metadata_grant_types_unusable", "None of the grant_types can be used here.", say "none of the grant_types is supported";
        ResponseTypesUnusable = "metadata_response_types_unusable", "None of the response_types can be used here; the only one is code.", say "none of the response_types is supported";
        BothKeyMembers = "metadata_both_key_members", "The members jwks and jwks_uri exclude each other (RFC 7591 section 2).", say "jwks and jwks_uri must not both be present";
        KeysMalformed = "metadata_keys_malformed", "The jwks is no set of public keys (RFC 7517 section 5), or has private members.", say "jwks is not a set of public keys";
        ForbiddenMember(&'static str) = "metadata_forbidden_member", "A member was sent that only the server may set (RFC 7592 section 2.2).", say "a member was sent that only the server may set";
        ClientIdMismatch = "metadata_client_id_mismatch", "The client_id in the body is not the one in the URL (RFC 7592 section 2.2).", say "client_id does not match";
        ScopeMalformed = "metadata_scope_malformed", "The scope member is not a list of scopes.", say "scope is malformed";
        TooLong(&'static str) = "metadata_too_long", "A member of the client metadata is longer than is kept.", say "a member of the client metadata is too long";
        SoftwareStatementUnsupported = "metadata_software_statement_unsupported", "Software statements are not accepted here (RFC 7591 section 2.3).", say "software_statement is not supported";
        StorageFull = "metadata_storage_full", "There are as many never-used clients as registration.pending_max allows.", say "registration is not possible now";
    }
}

faults! {
    /// Why a text is no issuer identifier (RFC 8414 §2). Only a configuration meets these.
    IssuerFault says "the issuer is not acceptable" {
        Malformed = "issuer_malformed", "The issuer is not a URL of scheme, host and optional port, all lower-case.";
        NotHttps = "issuer_not_https", "The issuer must be https; plain http is for localhost, 127.0.0.1 and [::1] only.";
        HasPath = "issuer_has_path", "The issuer must be an origin: no path and no trailing slash, since clients compare it as a string.";
        HasQueryOrFragment = "issuer_has_query_or_fragment", "The issuer must have no query and no fragment (RFC 8414 section 2).";
        HasUserinfo = "issuer_has_userinfo", "The issuer must have no user name.";
        HasDefaultPort = "issuer_has_default_port", "The issuer names the default port; leave it out, since clients compare the issuer as a string.";
    }
}
