//! oxide-auth at arm's length.
