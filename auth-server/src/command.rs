//! serve, migrate, keys, config check.

