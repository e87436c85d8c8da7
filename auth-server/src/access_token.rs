//! Is this token good?
