//! Somebody without credentials: a discovering client, a scanner, an attacker.

use serde_json::Value;

use crate::stage::Replica;
use crate::wire::{Request, Wire};

/// Sends any request to any path.
#[derive(Debug, Clone)]
pub struct Stranger {
    wire: Wire,
}

impl Stranger {
    pub(crate) fn new(wire: Wire) -> Self {
        Self { wire }
    }

    /// Somebody whose requests reach another replica.
    pub fn at(replica: &Replica) -> Self {
        Self::new(replica.wire().clone())
    }

    /// GET.
    pub fn get(&self, target: &str) -> Request {
        self.wire.request("GET", target)
    }

    /// Any method.
    pub fn request(&self, method: &str, target: &str) -> Request {
        self.wire.request(method, target)
    }

    /// POST of a form.
    pub fn post<N: AsRef<str>, V: AsRef<str>>(&self, target: &str, pairs: &[(N, V)]) -> Request {
        self.wire.request("POST", target).form(pairs)
    }

    /// POST of JSON.
    pub fn post_json(&self, target: &str, body: &Value) -> Request {
        self.wire.request("POST", target).json(body)
    }

    /// The preflight that a browser sends before a script of `origin` may call with `method` and `headers`.
    pub fn preflight(&self, target: &str, origin: &str, method: &str, headers: &str) -> Request {
        self.wire
            .request("OPTIONS", target)
            .header("origin", origin)
            .header("access-control-request-method", method)
            .header("access-control-request-headers", headers)
    }
}
