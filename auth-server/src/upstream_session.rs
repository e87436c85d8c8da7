//! Stand-in while the room session writes the real one.
use crate::{
    clock::Clock,
    keys::SealingKeys,
    secret,
    store::{Store, UpstreamSessionRow},
    upstream::{Arrival, Facts, UpstreamToken, Upstreams},
};
use oauth_types::{Error, Subject, UpstreamSessionId};
pub(crate) enum Stand {
    Stands(Facts),
    Ended,
}
pub(crate) async fn ask(
    store: &Store,
    _upstreams: &Upstreams,
    _keys: &SealingKeys,
    _clock: &dyn Clock,
    id: &UpstreamSessionId,
) -> Result<Stand, Error> {
    let row = store.upstream_session(id).await?;
    Ok(if row.is_some_and(|row| row.ended_at.is_none()) { Stand::Stands(Facts::default()) } else { Stand::Ended })
}
pub(crate) async fn begin(
    store: &Store,
    _keys: &SealingKeys,
    clock: &dyn Clock,
    subject: &Subject,
    arrival: &Arrival,
) -> Result<UpstreamSessionId, Error> {
    let id = UpstreamSessionId::from_trusted(secret::fresh_text::<16>(""));
    let identity = &arrival.identity;
    store
        .create_upstream_session(UpstreamSessionRow {
            id: id.clone(),
            subject: subject.clone(),
            issuer: identity.issuer.clone(),
            upstream_subject: identity.subject.clone(),
            sid: identity.sid.clone(),
            sealed_token: None,
            created_at: clock.now(),
            checked_at: Some(clock.now()),
            ended_at: None,
        })
        .await?;
    Ok(id)
}
pub(crate) async fn token_of(_store: &Store, _keys: &SealingKeys, _id: &UpstreamSessionId) -> Result<Option<UpstreamToken>, Error> {
    Ok(None)
}
