//! Clients, resolved.
