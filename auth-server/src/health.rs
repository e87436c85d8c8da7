//! Alive, and ready.
