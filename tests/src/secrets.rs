//! Every secret that crossed the wire in a test, so that logs and the database can be searched for all of them.
//!
//! The wire fills it from the answers by itself: a new test needs no list of its own, and a forgotten secret is not forgotten.

use std::sync::{Arc, Mutex};

use crate::wire::{Answer, query_of};

/// Members of JSON answers that nobody but their receiver may ever read again.
const SECRET_MEMBERS: [&str; 5] = ["access_token", "refresh_token", "id_token", "client_secret", "registration_access_token"];

/// The secrets of one stage.
#[derive(Debug, Clone, Default)]
pub struct Secrets(Arc<Mutex<Vec<Secret>>>);

/// One secret and what it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Secret {
    /// What it is: a member of an answer, `code`, `cookie …`, `password`, `code_verifier`.
    pub what: String,
    /// The secret itself.
    pub text: String,
}

impl Secrets {
    /// Remembers a secret that a test made itself.
    pub fn learn(&self, what: &str, text: &str) {
        let secret = Secret { what: what.into(), text: text.into() };
        let mut known = self.0.lock().expect("no holder panics");
        if !text.is_empty() && !known.contains(&secret) {
            known.push(secret);
        }
    }

    /// Everything learned so far.
    pub fn all(&self) -> Vec<Secret> {
        self.0.lock().expect("no holder panics").clone()
    }

    /// Remembers the secrets of an answer: JSON members, the code of a redirect, cookies.
    pub(crate) fn learn_from(&self, answer: &Answer) {
        if let Ok(body) = serde_json::from_slice::<serde_json::Value>(&answer.body) {
            for name in SECRET_MEMBERS {
                if let Some(text) = body[name].as_str() {
                    self.learn(name, text);
                }
            }
        }
        if let Some(location) = answer.header("location") {
            query_of(location).iter().filter(|(name, _)| name == "code").for_each(|(name, value)| self.learn(name, value));
        }
        for cookie in answer.headers_named("set-cookie") {
            if let Some((name, rest)) = cookie.split_once('=') {
                self.learn(&format!("cookie {name}"), rest.split(';').next().unwrap_or_default());
            }
        }
    }
}
