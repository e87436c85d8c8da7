//! Logs.

