//! Clients, resolved.

