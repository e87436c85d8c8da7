//! GET /ended: what ended early, for the guards of resources.
