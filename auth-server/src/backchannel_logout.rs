//! A provider says that somebody signed out: `POST /backchannel-logout/{idp}`.
//!
//! OpenID Connect Back-Channel Logout 1.0 §2.5 to §2.8. A notice comes once and is never repeated, and the provider's own sign-out waits
//! for our answer (Keycloak: five seconds). So it is verified (`upstream/`), one transaction ends everything that it names, and only then
//! is it answered. Nothing is left for later: browser sessions, grants and refreshes read the sign-in's row, access tokens the entries
//! that were written with it. A notice that is wrong in any way changes nothing (400); one that cannot be verified or kept now is not
//! called done (503), and the recheck at the next refresh is what holds then.

use std::time::Duration;

use actix_web::{HttpRequest, HttpResponse, web};
use oauth_types::{Error, IdpId, Outage, UpstreamFault};
use tracing::info;

use crate::{
    App, audit,
    http::{
        extract::StrictForm,
        reply::{self, AsJson},
        request_id::RequestId,
        route,
        trace::{self, Story},
    },
    upstream::UpstreamError,
};

/// How long the provider waits for the ending to be on disk. Keycloak gives up after five seconds, the way there and back included.
/// Whatever waits in the writer's queue is written also when nobody waits for it any more.
const KEPT_WITHIN: Duration = Duration::from_secs(3);

/// `POST /backchannel-logout/{idp}`
pub(crate) async fn post(
    app: web::Data<App>,
    request: HttpRequest,
    idp: web::Path<String>,
    form: StrictForm,
) -> Result<HttpResponse, AsJson> {
    let Some(upstream) = IdpId::parse(&idp).ok().and_then(|id| app.upstreams.get(&id)) else { return Ok(route::nobody_here(&request)) };
    let notice = upstream.read_logout_notice(form.require("logout_token")?).await.map_err(refused)?;
    let settings = upstream.settings();
    let ending = app.upstream_sessions.end_by_notice(&settings.issuer, &notice, audit::trail(&request));
    let late = |_| Error::TemporarilyUnavailable(Outage::new("the ending that a provider ordered was not on disk in time"));
    let ended = tokio::time::timeout(KEPT_WITHIN, ending).await.map_err(late)??;
    // §2.6: a token that was used before is no valid one. What it ordered is done.
    let count = ended.ok_or(Error::LogoutRefused(UpstreamFault::LogoutReplayed))?;
    let (idp, reference) = (&settings.id, RequestId::of(&request));
    info!(event = "upstream.signed_out", idp.id = %idp, rows = count, request.id = %reference, "`{idp}` said that somebody signed out: {count} sign-ins ended");
    trace::tell(&request, Story { event: Some("backchannel_logout.accepted"), ..Story::default() });
    Ok(reply::empty())
}

/// §2.8: "if the logout request was invalid": 400, whatever was wrong with it. A provider whose keys cannot be read was not heard.
fn refused(error: UpstreamError) -> Error {
    match error {
        UpstreamError::Distrusted(fault) => Error::LogoutRefused(fault),
        other => other.into(),
    }
}
