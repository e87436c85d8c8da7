//! Who is this client? RFC 6749 §2.3 and §3: none, `client_secret_basic`, `client_secret_post`.
//!
//! Owns the reading of credentials and the verdict. A request may name its client in the header, in the body, or in both when they
//! agree; it may prove itself in one way only (§2.3). Unknown and wrong take the same steps and get the same answer, so that nobody
//! learns which ids exist (attack 55).

use std::sync::Arc;

use actix_web::{
    HttpRequest,
    http::header::{self, HeaderValue},
};
use base64::{Engine as _, alphabet, engine};
use oauth_types::{ClientFault, ClientId, ClientSecret, Error, RequestFault, Timestamp, TokenHash};

use super::GrantType;
use crate::{
    config::ResourceServer,
    http::extract::StrictForm,
    store::{AuthMethod, ClientRow, Store},
};

/// An id of 2,048 characters and a secret, in base64.
const HEADER_BYTES_MAX: usize = 4_096;
/// What no secret hashes to: compared with when there is nothing to compare with.
const NO_HASH: TokenHash = TokenHash::from_bytes([0; 32]);
/// Clients pad, and some forget to.
const BASE64: engine::GeneralPurpose = engine::GeneralPurpose::new(
    &alphabet::STANDARD,
    engine::GeneralPurposeConfig::new().with_decode_padding_mode(engine::DecodePaddingMode::Indifferent),
);

/// What a request says about its client; nothing of it is proved.
#[derive(Debug)]
pub(crate) struct Credentials {
    /// The id, and for a Basic header that reads differently as form text, the other reading.
    ids: Readings<String>,
    secret: Option<Readings<ClientSecret>>,
    method: PresentedMethod,
}

/// RFC 6749 §2.3.1 wants id and secret form-encoded inside Basic; half of the clients encode, the other half do not.
#[derive(Debug)]
struct Readings<T> {
    raw: T,
    decoded: Option<T>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum PresentedMethod {
    None,
    Basic,
    Post,
}

/// A client that proved itself as it registered to, or a public one that named itself.
#[derive(Debug, Clone)]
pub(crate) struct AuthenticatedClient {
    row: Arc<ClientRow>,
}

impl AuthenticatedClient {
    pub(crate) fn id(&self) -> &ClientId {
        &self.row.client_id
    }

    /// Did it register for this grant?
    pub(crate) fn may_use(&self, grant: GrantType) -> bool {
        self.row.grant_types.iter().any(|registered| registered == grant.as_str())
    }

    /// Did it prove anything? A public client only says who it is.
    pub(crate) fn is_confidential(&self) -> bool {
        self.row.auth_method != AuthMethod::None
    }
}

impl Credentials {
    /// What this request says, in its header and its form.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub(crate) fn of(request: &HttpRequest, form: &StrictForm) -> Result<Self, Error> {
        Self::read(request.headers().get_all(header::AUTHORIZATION), form.get("client_id"), form.get("client_secret"))
    }

    /// Puts header and body together.
    ///
    /// # Errors
    /// Two proofs at once (§2.3), two different ids, a header that is not Basic credentials, or nobody named at all.
    pub(crate) fn read<'a>(
        authorization: impl Iterator<Item = &'a HeaderValue>,
        client_id: Option<&str>,
        client_secret: Option<&str>,
    ) -> Result<Self, Error> {
        let mut basic = None;
        for header in authorization {
            let Some(pair) = basic_pair(header)? else { continue };
            if basic.replace(pair).is_some() {
                return Err(Error::InvalidRequest(RequestFault::TwoClientAuthentications));
            }
        }
        match (basic, client_id, client_secret) {
            (Some(_), _, Some(_)) => Err(Error::InvalidRequest(RequestFault::TwoClientAuthentications)),
            (Some(basic), Some(id), None) if !basic.ids.either(|reading| reading == id) => {
                Err(Error::InvalidClient(ClientFault::NamesDiffer))
            }
            (Some(basic), _, None) => Ok(basic),
            (None, Some(id), Some(secret)) => Ok(Self {
                ids: Readings::one(id.to_owned()),
                secret: Some(Readings::one(ClientSecret::new(secret.to_owned()))),
                method: PresentedMethod::Post,
            }),
            (None, Some(id), None) => Ok(Self { ids: Readings::one(id.to_owned()), secret: None, method: PresentedMethod::None }),
            // §5.2: "no client authentication included" is invalid_client.
            (None, None, _) => Err(Error::InvalidClient(ClientFault::NotNamed)),
        }
    }
}

impl<T> Readings<T> {
    fn one(raw: T) -> Self {
        Self { raw, decoded: None }
    }

    /// Asks both, always: which of them is right must not show in the time.
    fn either(&self, is_right: impl Fn(&T) -> bool) -> bool {
        is_right(&self.raw) | self.decoded.as_ref().is_some_and(is_right)
    }
}

/// The header's credentials; `None` for another scheme, which is none of our business here.
fn basic_pair(header: &HeaderValue) -> Result<Option<Credentials>, Error> {
    let malformed = || Error::InvalidClient(ClientFault::BasicMalformed);
    let bytes = header.as_bytes();
    let (scheme, pair) = bytes.split_at(bytes.iter().position(|byte| *byte == b' ').unwrap_or(bytes.len()));
    if !scheme.eq_ignore_ascii_case(b"basic") {
        return Ok(None);
    }
    if bytes.len() > HEADER_BYTES_MAX {
        return Err(malformed());
    }
    let decoded = BASE64.decode(pair.trim_ascii()).map_err(|_| malformed())?;
    let text = String::from_utf8(decoded).map_err(|_| malformed())?;
    // RFC 7617 §2: the first colon divides; a secret may contain more of them.
    let (id, secret) = text.split_once(':').ok_or_else(malformed)?;
    let secret = (!secret.is_empty())
        .then(|| Readings { raw: ClientSecret::new(secret.to_owned()), decoded: form_decoded(secret).map(ClientSecret::new) });
    Ok(Some(Credentials {
        ids: Readings { raw: id.to_owned(), decoded: form_decoded(id) },
        // A public client that sends its id with an empty secret proves nothing and claims nothing.
        method: if secret.is_some() { PresentedMethod::Basic } else { PresentedMethod::None },
        secret,
    }))
}

/// `None` if it reads the same either way, or is no form text.
fn form_decoded(text: &str) -> Option<String> {
    if !text.contains(['%', '+']) {
        return None;
    }
    // `=` and `&` are escaped so that the parser sees one value and no names.
    let one = text.replace('=', "%3D").replace('&', "%26");
    let (value, _) = url::form_urlencoded::parse(one.as_bytes()).next()?;
    Some(value.into_owned())
}

/// Proves the client, or refuses with `invalid_client` whatever the reason is.
pub(crate) async fn prove(store: &Store, now: Timestamp, credentials: Credentials) -> Result<AuthenticatedClient, Error> {
    let mut row = find(store, &credentials.ids.raw).await?;
    if let (None, Some(decoded)) = (&row, &credentials.ids.decoded) {
        row = find(store, decoded).await?;
    }
    judge(row.as_deref(), &credentials, now).map_err(Error::InvalidClient)?;
    // judge() refuses where there is no row.
    row.map(|row| AuthenticatedClient { row }).ok_or(Error::InvalidClient(ClientFault::Unknown))
}

async fn find(store: &Store, id: &str) -> Result<Option<Arc<ClientRow>>, Error> {
    match ClientId::parse(id) {
        Ok(id) => Ok(store.client(&id).await?),
        Err(_) => Ok(None),
    }
}

/// The verdict. Pure, and the same work for everybody: one hash and one comparison in constant time come first.
fn judge(row: Option<&ClientRow>, presented: &Credentials, now: Timestamp) -> Result<(), ClientFault> {
    let known_hash = row.and_then(|row| row.secret_hash.as_ref()).unwrap_or(&NO_HASH);
    let is_right = presented.secret.as_ref().is_some_and(|secret| secret.either(|secret| secret.hash() == *known_hash));
    let row = row.ok_or(ClientFault::Unknown)?;
    if row.ended_at.is_some() {
        return Err(ClientFault::Deleted);
    }
    match (row.auth_method, presented.method) {
        (AuthMethod::None, PresentedMethod::None) => return Ok(()),
        (AuthMethod::None, _) => return Err(ClientFault::PublicClientSentSecret),
        (_, PresentedMethod::None) => return Err(ClientFault::SecretMissing),
        (AuthMethod::SecretBasic, PresentedMethod::Basic) | (AuthMethod::SecretPost, PresentedMethod::Post) => {}
        _ => return Err(ClientFault::MethodMismatch),
    }
    if !is_right {
        return Err(ClientFault::SecretMismatch);
    }
    if row.secret_expires_at.is_some_and(|at| at <= now) {
        return Err(ClientFault::SecretExpired);
    }
    Ok(())
}

/// A protected resource that proves itself (RFC 7662 §2.1, and whoever follows endings). `None` if it is not one of these at all.
fn resource_server<'a>(servers: &'a [ResourceServer], presented: &Credentials) -> Option<Result<&'a ResourceServer, ClientFault>> {
    let server = servers.iter().find(|server| presented.ids.either(|id| *id == server.id))?;
    let is_right = presented.secret.as_ref().map(|secret| secret.either(|secret| secret.hash() == server.secret_hash));
    Some(match is_right {
        Some(true) => Ok(server),
        Some(false) => Err(ClientFault::SecretMismatch),
        None => Err(ClientFault::SecretMissing),
    })
}

/// Who may know something about tokens: a protected resource, or a client.
pub(crate) enum Asker<'a> {
    ResourceServer(&'a ResourceServer),
    Client(AuthenticatedClient),
}

/// Proves a protected resource or a client, whichever is named.
pub(crate) async fn prove_asker<'a>(
    servers: &'a [ResourceServer],
    store: &Store,
    now: Timestamp,
    credentials: Credentials,
) -> Result<Asker<'a>, Error> {
    match resource_server(servers, &credentials) {
        Some(proved) => proved.map(Asker::ResourceServer).map_err(Error::InvalidClient),
        None => prove(store, now, credentials).await.map(Asker::Client),
    }
}

#[cfg(test)]
mod tests {
    use base64::engine::general_purpose::STANDARD;

    use super::*;
    use crate::client::tests::row;

    const NOW: Timestamp = Timestamp(1_800_000_000);
    const SECRET: &str = "pcs_0123456789";

    fn header(text: &str) -> HeaderValue {
        HeaderValue::from_str(text).unwrap()
    }

    fn basic(id: &str, secret: &str) -> HeaderValue {
        header(&format!("Basic {}", STANDARD.encode(format!("{id}:{secret}"))))
    }

    fn read(headers: &[HeaderValue], id: Option<&str>, secret: Option<&str>) -> Result<Credentials, (u16, &'static str)> {
        Credentials::read(headers.iter(), id, secret).map_err(|error| (error.status(), error.reason()))
    }

    fn verdict(row: &ClientRow, headers: &[HeaderValue], id: Option<&str>, secret: Option<&str>) -> Result<(), &'static str> {
        let presented = read(headers, id, secret).map_err(|(_, reason)| reason)?;
        judge(Some(row), &presented, NOW).map_err(|fault| fault.reason())
    }

    fn confidential(method: AuthMethod) -> ClientRow {
        ClientRow { auth_method: method, secret_hash: Some(TokenHash::of(SECRET.as_bytes())), ..row("app") }
    }

    /// RFC 6749 §2.3.1; spec-and-clients 3.4, item 54.
    #[test]
    fn each_method_proves_the_client_that_registered_it() {
        assert_eq!(verdict(&row("app"), &[], Some("app"), None), Ok(()));
        assert_eq!(verdict(&confidential(AuthMethod::SecretBasic), &[basic("app", SECRET)], None, None), Ok(()));
        assert_eq!(verdict(&confidential(AuthMethod::SecretBasic), &[basic("app", SECRET)], Some("app"), None), Ok(()));
        assert_eq!(verdict(&confidential(AuthMethod::SecretPost), &[], Some("app"), Some(SECRET)), Ok(()));
    }

    /// Attack 39: each is 401 invalid_client.
    #[test]
    fn another_method_than_the_registered_one_proves_nothing() {
        let (public, by_basic, by_post) = (row("app"), confidential(AuthMethod::SecretBasic), confidential(AuthMethod::SecretPost));
        assert_eq!(verdict(&by_basic, &[], Some("app"), None), Err("secret_missing"));
        assert_eq!(verdict(&by_post, &[], Some("app"), None), Err("secret_missing"));
        assert_eq!(verdict(&by_basic, &[], Some("app"), Some(SECRET)), Err("method_mismatch"));
        assert_eq!(verdict(&by_post, &[basic("app", SECRET)], None, None), Err("method_mismatch"));
        assert_eq!(verdict(&public, &[], Some("app"), Some("x")), Err("public_client_sent_secret"));
        assert_eq!(verdict(&public, &[basic("app", "x")], None, None), Err("public_client_sent_secret"));
        assert_eq!(verdict(&by_basic, &[basic("app", "wrong")], None, None), Err("secret_mismatch"));
        // A secret may have run out though it is right.
        let expired = ClientRow { secret_expires_at: Some(NOW), ..confidential(AuthMethod::SecretBasic) };
        assert_eq!(verdict(&expired, &[basic("app", SECRET)], None, None), Err("secret_expired"));
    }

    /// RFC 6749 §2.3: "The client MUST NOT use more than one authentication method in each request."
    #[test]
    fn two_proofs_at_once_are_an_invalid_request() {
        let two = Err((400, "client_authentication_twice"));
        assert_eq!(read(&[basic("app", SECRET)], None, Some(SECRET)).map(drop), two);
        assert_eq!(read(&[basic("app", SECRET)], Some("app"), Some(SECRET)).map(drop), two);
        assert_eq!(read(&[basic("app", SECRET), basic("app", SECRET)], None, None).map(drop), two);
    }

    /// Attack 39: header and body name different clients.
    #[test]
    fn a_header_and_a_body_that_disagree_name_nobody() {
        assert_eq!(read(&[basic("app", SECRET)], Some("other"), None).map(drop), Err((401, "client_names_differ")));
        assert!(read(&[basic("app", SECRET)], Some("app"), None).is_ok());
    }

    /// RFC 6749 §2.3.1 and Appendix B; half of the clients send it raw.
    #[test]
    fn basic_is_read_raw_and_form_decoded() {
        let odd = ClientRow { secret_hash: Some(TokenHash::of(b"a+b %&=:")), ..confidential(AuthMethod::SecretBasic) };
        assert_eq!(verdict(&odd, &[basic("app", "a+b %&=:")], None, None), Ok(()));
        assert_eq!(verdict(&odd, &[basic("app", "a%2Bb+%25%26%3D%3A")], None, None), Ok(()));
        assert_eq!(verdict(&odd, &[basic("app", "a%2Bb+%25%26%3D")], None, None), Err("secret_mismatch"));
        let encoded = read(&[basic("https%3A%2F%2Fapp.example%2Fc", "x")], Some("https://app.example/c"), None);
        assert!(encoded.is_ok());
    }

    #[test]
    fn a_header_that_is_no_basic_pair_is_told_so() {
        let long = "A".repeat(HEADER_BYTES_MAX);
        for text in ["Basic", "Basic !!!", "Basic QQ", "basic /w==", &format!("Basic {long}")] {
            assert_eq!(read(&[header(text)], None, None).map(drop), Err((401, "basic_malformed")), "{text}");
        }
        // Another scheme is not ours to judge.
        assert!(read(&[header("Bearer x")], Some("app"), None).is_ok());
        assert_eq!(read(&[header("Bearer x")], None, None).map(drop), Err((401, "client_not_named")));
    }

    /// Attack 55: unknown, deleted and wrong differ in the log only.
    #[test]
    fn unknown_deleted_and_wrong_look_alike_outside() {
        let presented = read(&[basic("app", "wrong")], None, None).unwrap();
        let deleted = ClientRow { ended_at: Some(NOW), ..confidential(AuthMethod::SecretBasic) };
        let wrong = confidential(AuthMethod::SecretBasic);
        let verdicts = [None, Some(&deleted), Some(&wrong)].map(|row| judge(row, &presented, NOW).unwrap_err());
        assert_eq!(verdicts.map(|fault| fault.reason()), ["client_unknown", "client_deleted", "secret_mismatch"]);
        let outside = verdicts.map(Error::InvalidClient).map(|error| (error.code(), error.status(), error.description()));
        assert!(outside.iter().all(|seen| *seen == outside[0]));
    }

    /// RFC 7662 §2.1.
    #[test]
    fn a_resource_server_proves_itself_by_its_secret() {
        let resource = oauth_types::ResourceUri::parse("https://mcp.example.com/mcp").unwrap();
        let servers = [ResourceServer { id: "rs".to_owned(), resource, secret_hash: TokenHash::of(SECRET.as_bytes()) }];
        let ask = |id: &str, secret: &str| {
            let presented = read(&[basic(id, secret)], None, None).unwrap();
            resource_server(&servers, &presented).map(|server| server.map(|_| ()).map_err(|fault| fault.reason()))
        };
        assert_eq!(ask("rs", SECRET), Some(Ok(())));
        assert_eq!(ask("rs", "wrong"), Some(Err("secret_mismatch")));
        assert_eq!(ask("rs", ""), Some(Err("secret_missing")));
        assert_eq!(ask("app", SECRET), None);
    }
}
