//! The composition root: configuration in, a server out.
//!
//! [`App`] is the one context that endpoints see: eight adapters, all cheap to clone. Steps and adapters take exactly what they need
//! and never see it.

use std::sync::Arc;

use crate::{accounts::Accounts, clock::Clock, config::Config, ephemeral::Ephemeral, http::limits::Limits, i18n::I18n, keys::KeyStore, policy::Policy, store::Store};

/// Everything that an endpoint may ask.
#[derive(Clone)]
pub struct App {
    pub(crate) config: Arc<Config>,
    pub(crate) store: Store,
    pub(crate) ephemeral: Arc<dyn Ephemeral>,
    pub(crate) keys: KeyStore,
    pub(crate) policy: Policy,
    pub(crate) accounts: Accounts,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) i18n: Arc<I18n>,
    pub(crate) limits: Arc<Limits>,
}
