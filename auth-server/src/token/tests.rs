//! Tokens from birth to end: the real routes over a real store, with a clock that stands still.
//!
//! What a client sees is asserted; the private reasons are the judges' tests and the protocol tests'.

mod asked_about;
mod code;
mod house;
mod refresh;

use oauth_types::ClientSecret;

/// Attack 53: nothing that is a secret is in the Debug text of what is passed around.
#[test]
fn secrets_do_not_print() {
    assert!(!format!("{:?}", ClientSecret::new(house::SECRET.to_owned())).contains(house::SECRET));
}
