//! Is this token good?

