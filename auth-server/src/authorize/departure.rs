//! Leaving for an identity provider: what is remembered of a departure, and to whom it belongs.
//!
//! OpenID Connect Core §3.1.2.1, RFC 9700 §4.7 (state bound to the browser), attacks 2, 5 and 6. A departure is kept under the hash of
//! its `state`, for one browser and one flow, and taken away by the first callback that names it, whoever sends it. What the adapter
//! wants to remember (nonce, PKCE verifier) is sealed. Any replica finds it.

use std::sync::Arc;

use oauth_types::{Bug, Error, FlowId, IdpId, RequestFault, Timestamp, TokenHash, Ttl, UpstreamFault};
use serde::{Deserialize, Serialize};

use super::{Visit, flow::AwaitingLogin};
use crate::{
    App,
    ephemeral::{Key, Slot},
    http::extract::ClientIp,
    keys::Purpose,
    routes,
    upstream::{Asking, Memory, UpstreamError, UpstreamIdp},
};

/// How often one flow may leave. Somebody who goes back and forth between the chooser and a provider leaves a handful of times.
const PER_FLOW_MAX: u64 = 20;

const DEPARTURES: Slot<Departed> = Slot::new("departure", Ttl::minutes(10));
/// Browsers whose person was not let in a moment ago.
const TURNED_AWAY: Slot<bool> = Slot::new("turned-away", Ttl::minutes(10));

/// A browser that is away.
#[derive(Serialize, Deserialize)]
struct Departed {
    flow: FlowId,
    /// The browser that left: the hash of its cookie.
    browser: String,
    idp: IdpId,
    began_at: Timestamp,
    sealed_memory: String,
}

/// Somebody who comes back, before anything they bring is believed.
pub(super) struct Returned {
    pub(super) flow: FlowId,
    pub(super) memory: Memory,
}

/// Where the browser goes to sign in there.
pub(super) async fn begin(app: &App, visit: &Visit<'_>, stage: &AwaitingLogin, idp: &Arc<dyn UpstreamIdp>) -> Result<String, UpstreamOr> {
    let (journey, now) = (&stage.journey, app.clock.now());
    app.limits.flows.spend(ClientIp::of(visit.request).network(), now)?;
    let left =
        app.ephemeral.count(&Key::new("departures-of", journey.id.as_str()), app.config.lifetimes.flow).await.map_err(Error::from)?;
    if left > PER_FLOW_MAX {
        return Err(Error::InvalidRequest(RequestFault::TooManyFlows).into());
    }
    let browser = visit.browser.hash().text();
    let was_turned_away = TURNED_AWAY.peek(&*app.ephemeral, &browser).await.map_err(Error::from)?.is_some();
    let id = &idp.settings().id;
    let departure = idp
        .depart(&Asking {
            redirect_uri: &app.config.issuer.at(&routes::callback_of(id)),
            login_hint: journey.asked.login_hint.as_deref(),
            max_age: journey.asked.max_age,
            // Who wants to be somebody else, or could not enter as who they are, must be asked: the provider would answer with the same account.
            prompt_login: journey.asked.prompt.login || stage.anew || was_turned_away,
            ui_locales: journey.asked.ui_locales.as_deref(),
        })
        .await
        .map_err(UpstreamOr::Upstream)?;
    let name = name_of(departure.memory.state());
    let plain = serde_json::to_vec(&departure.memory).map_err(|_| bug())?;
    let sealed_memory = app.keys.sealing().seal(Purpose::Upstream, &bound_to(&name), &plain).map_err(Error::from)?;
    let departed = Departed { flow: journey.id.clone(), browser, idp: id.clone(), began_at: now, sealed_memory };
    DEPARTURES.put(&*app.ephemeral, &name, &departed).await.map_err(Error::from)?;
    tracing::info!(event = "login.started", idp = %id, "somebody leaves to sign in");
    Ok(departure.location.into())
}

/// The departure that this state belongs to. It is gone from then on, whatever becomes of the callback.
pub(super) async fn end(app: &App, visit: &Visit<'_>, idp: &str, state: &str) -> Result<Returned, Error> {
    let unknown = || Error::from(UpstreamFault::StateUnknown);
    let name = name_of(state);
    let departed = DEPARTURES.take(&*app.ephemeral, &name).await?.ok_or_else(unknown)?;
    // Attack 2: a callback counts only in the browser that left.
    if departed.browser != visit.browser.hash().text() {
        return Err(Error::InvalidRequest(RequestFault::FlowForAnotherBrowser));
    }
    if app.clock.now() >= departed.began_at + app.config.lifetimes.flow {
        return Err(unknown());
    }
    // Attack 14: each provider has a callback of its own, so that none can answer for another.
    if departed.idp.as_str() != idp {
        return Err(UpstreamFault::CallbackIssuerMismatch.into());
    }
    let memory = app.keys.sealing().open_sealed(Purpose::Upstream, &bound_to(&name), &departed.sealed_memory)?;
    Ok(Returned { flow: departed.flow, memory: serde_json::from_slice(&memory).map_err(|_| bug())? })
}

/// Remembers that nobody could enter from this browser a moment ago: the next departure gives them the chance to be somebody else.
pub(super) async fn turn_away(app: &App, visit: &Visit<'_>) -> Result<(), Error> {
    Ok(TURNED_AWAY.put(&*app.ephemeral, &visit.browser.hash().text(), &true).await?)
}

/// The state itself is not kept: whoever reads the store cannot answer for anybody.
fn name_of(state: &str) -> String {
    TokenHash::of(state.as_bytes()).text()
}

/// Tells a departure's memory from everything else that is sealed for the same purpose.
fn bound_to(name: &str) -> Vec<u8> {
    format!("departure\n{name}").into_bytes()
}

fn bug() -> Error {
    Error::ServerError(Bug::new("what is remembered of a departure is JSON"))
}

/// Why nobody left: the provider's fault, for which there may be another way, or ours.
pub(super) enum UpstreamOr {
    Upstream(UpstreamError),
    Us(Error),
}

impl From<Error> for UpstreamOr {
    fn from(error: Error) -> Self {
        Self::Us(error)
    }
}
