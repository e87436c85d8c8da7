//! The adapters against a provider that keeps the rules, and against one that breaks them.

mod documents;
mod github;
mod lies;
mod logout;
mod rechecks;
mod sign_in;

use std::sync::Arc;

use oauth_types::Timestamp;
use toml::Value;

use super::{
    Arrival, Asking, Callback, Departure, UpstreamError, UpstreamIdp, Upstreams,
    idp::{Idp, Signing},
};
use crate::{
    clock::{Clock as _, FixedClock},
    config::{Config, Layers, Override, resolve},
};

const BEGINNING: Timestamp = Timestamp(1_800_000_000);
const REDIRECT_URI: &str = "https://portico.test/callback/one";
/// Signatures that no published key of the provider made, and what the operator reads of each.
const NOT_THE_PROVIDERS: [(Signing, &str); 6] = [
    (Signing::Unsigned, "upstream_id_token_unsigned"),
    (Signing::SharedSecret, "upstream_algorithm_forbidden"),
    (Signing::PublicKeyAsSecret, "upstream_algorithm_forbidden"),
    (Signing::StrangersKey, "upstream_signature_mismatch"),
    (Signing::UnpublishedKey, "upstream_key_unknown"),
    (Signing::Damaged, "upstream_signature_mismatch"),
];

/// A provider, and us before it.
struct Scene {
    idp: Idp,
    clock: Arc<FixedClock>,
    upstreams: Upstreams,
}

impl Scene {
    async fn keycloak() -> Self {
        Self::with("keycloak", "").await
    }

    /// `more`: further lines of its table.
    async fn with(kind: &str, more: &str) -> Self {
        let clock = Arc::new(FixedClock::at(BEGINNING));
        let theirs = clock.clone();
        let idp = Idp::rise(move || theirs.now().0).await;
        let config = config(&idp.table("one", kind, more));
        let upstreams = Upstreams::open(&config, &(clock.clone() as _)).unwrap();
        Self { idp, clock, upstreams }
    }

    fn provider(&self) -> &dyn UpstreamIdp {
        self.upstreams.all().next().unwrap().as_ref()
    }

    async fn departs(&self) -> Result<Departure, UpstreamError> {
        self.departs_asking(&Asking::default()).await
    }

    async fn departs_asking(&self, asking: &Asking<'_>) -> Result<Departure, UpstreamError> {
        self.provider().depart(&Asking { redirect_uri: REDIRECT_URI, ..*asking }).await
    }

    /// There and back again.
    async fn signs_in(&self) -> Result<Arrival, UpstreamError> {
        self.signs_in_asking(&Asking::default()).await
    }

    async fn signs_in_asking(&self, asking: &Asking<'_>) -> Result<Arrival, UpstreamError> {
        let departure = self.departs_asking(asking).await?;
        let callback = self.comes_back(&departure).await;
        self.provider().arrive(callback, &departure.memory, REDIRECT_URI).await
    }

    /// What the browser brings.
    async fn comes_back(&self, departure: &Departure) -> Callback {
        let url = url::Url::parse(&self.idp.sends_back(departure.location.as_str()).await).unwrap();
        let said = |name: &str| url.query_pairs().find(|(known, _)| known == name).map(|(_, value)| value.into_owned());
        Callback { state: said("state").unwrap_or_default(), code: said("code"), iss: said("iss"), error: said("error") }
    }
}

fn config(tables: &str) -> Config {
    let table: toml::Table = tables.parse().unwrap();
    let rows = Override { key: "upstream", value: table["upstream"].clone(), flag: "--test" };
    resolve(Layers::gather(None, std::iter::empty(), [rows]).unwrap()).unwrap()
}

/// Whether rows are refused, and with which words.
fn config_problems(rows: Value) -> String {
    let rows = Override { key: "upstream", value: rows, flag: "--test" };
    resolve(Layers::gather(None, std::iter::empty(), [rows]).unwrap())
        .map(|_| String::new())
        .unwrap_or_else(|problems| problems.to_string())
}

/// Why not.
#[track_caller]
fn reason<T: std::fmt::Debug>(result: Result<T, UpstreamError>) -> &'static str {
    result.expect_err("a lie was believed").reason()
}
