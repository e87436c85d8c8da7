//! Who listens how often: `subscriptions/listen` of 2026-07-28 stays open for as long as its client likes.
//!
//! Owns the count of open subscriptions of a person with a client, and nothing else. Sessions have a bound of their own.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Subscriptions one person may hold open with one client. A client needs one; windows and devices make a few more.
pub(crate) const LISTENING_PER_OWNER_MAX: usize = 32;

/// The subscriptions that are open now.
#[derive(Debug, Clone, Default)]
pub(crate) struct Listening(Arc<Mutex<HashMap<Arc<str>, usize>>>);

/// One open subscription; dropping it makes room for another.
#[derive(Debug)]
pub(crate) struct Place {
    all: Listening,
    owner: Arc<str>,
}

impl Listening {
    /// A place for one more subscription of this owner, if there is room.
    pub(crate) fn enter(&self, owner: Arc<str>) -> Option<Place> {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(owner.clone()).or_default();
        if *count >= LISTENING_PER_OWNER_MAX {
            return None;
        }
        *count += 1;
        Some(Place { all: self.clone(), owner })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut counts = self.all.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&self.owner) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.owner);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_owner_has_an_end_and_another_is_not_concerned() {
        let all = Listening::default();
        let alice: Arc<str> = "alice".into();
        let mut places: Vec<_> = std::iter::from_fn(|| all.enter(alice.clone())).collect();
        assert_eq!(places.len(), LISTENING_PER_OWNER_MAX);
        assert!(all.enter("bob".into()).is_some());
        places.pop();
        assert!(all.enter(alice.clone()).is_some(), "a subscription that ended makes room");
    }

    #[test]
    fn nothing_is_left_of_who_listens_no_more() {
        let all = Listening::default();
        drop(all.enter("alice".into()));
        assert!(all.0.lock().unwrap().is_empty());
    }
}
