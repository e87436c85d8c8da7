//! Purge, key refresh and rotation, on a tick.

