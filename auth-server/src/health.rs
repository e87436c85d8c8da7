//! Alive, and ready.

