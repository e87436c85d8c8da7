//! What the server acknowledged to one worker, and what was open when it died.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::random::Sequence;
use crate::server::House;
use crate::visitor::{App, Person, Receipt, Tokens, Trouble};
use crate::wire::Connection;

/// A worker that is never killed ends by itself.
const ACTIONS_MAX: u32 = 5_000;

/// A grant whose tokens were handed out, with the newest refresh token that was acknowledged.
pub(super) struct Held {
    pub(super) app: App,
    pub(super) spent: Receipt,
    pub(super) tokens: Tokens,
}

/// Everything that was acknowledged, and the redemptions of which nobody heard the end.
#[derive(Default)]
pub(super) struct Ledger {
    pub(super) apps: Vec<App>,
    pub(super) held: Vec<Held>,
    /// Codes that arrived and were not presented yet.
    pub(super) unspent: Vec<(App, Receipt)>,
    /// Codes that were presented; the answer never came.
    pub(super) undecided: Vec<(App, Receipt)>,
    refreshes: u64,
}

impl Ledger {
    pub(super) fn absorb(&mut self, other: Self) {
        self.apps.extend(other.apps);
        self.held.extend(other.held);
        self.unspent.extend(other.unspent);
        self.undecided.extend(other.undecided);
        self.refreshes += other.refreshes;
    }

    pub(super) fn summary(&self) -> String {
        format!(
            "{} registrations, {} grants, {} refreshes, {} unspent codes; {} redemptions undecided",
            self.apps.len(),
            self.held.len(),
            self.refreshes,
            self.unspent.len(),
            self.undecided.len(),
        )
    }

    /// A round without load proves nothing.
    pub(super) fn is_thin(&self) -> bool {
        self.apps.is_empty() || self.held.is_empty() || self.refreshes == 0
    }
}

/// Does one thing after the other until the server is gone; any answer that should not be is an error.
pub(super) fn work(house: &House, mut sequence: Sequence, acknowledged: &AtomicU64) -> Result<Ledger, String> {
    let mut ledger = Ledger::default();
    let mut person = Person::new(house.username, &house.password);
    let Ok(mut connection) = Connection::open(&house.authority) else {
        return Ok(ledger);
    };
    for _ in 0..ACTIONS_MAX {
        match act(&mut ledger, &mut connection, &mut person, &mut sequence) {
            Ok(()) => {
                acknowledged.fetch_add(1, Ordering::Relaxed);
            }
            Err(Trouble::Gone(_)) => break,
            // One browser may begin only so many flows: the person takes another.
            Err(Trouble::Busy) => person = Person::new(house.username, &house.password),
            Err(Trouble::Wrong(text)) => return Err(text),
        }
    }
    Ok(ledger)
}

fn act(ledger: &mut Ledger, connection: &mut Connection, person: &mut Person, sequence: &mut Sequence) -> Result<(), Trouble> {
    let choice = sequence.below(10);
    if ledger.apps.is_empty() || choice == 0 {
        ledger.apps.push(App::register(connection, "Crash test")?);
        return Ok(());
    }
    if ledger.held.is_empty() || choice < 4 {
        let app = ledger.apps[index(sequence, ledger.apps.len())].clone();
        let receipt = person.allow(connection, &app)?;
        if choice == 1 && !ledger.held.is_empty() {
            ledger.unspent.push((app, receipt));
            return Ok(());
        }
        return redeem(ledger, connection, app, receipt);
    }
    let at = index(sequence, ledger.held.len());
    let held = &mut ledger.held[at];
    match held.app.refresh(connection, &held.tokens.refresh)? {
        Some(tokens) => held.tokens = tokens,
        None => {
            return Err(Trouble::Wrong("a live refresh token was refused under load".to_owned()));
        }
    }
    ledger.refreshes += 1;
    Ok(())
}

fn redeem(ledger: &mut Ledger, connection: &mut Connection, app: App, receipt: Receipt) -> Result<(), Trouble> {
    match app.redeem(connection, &receipt) {
        Ok(Some(tokens)) => {
            ledger.held.push(Held { app, spent: receipt, tokens });
            Ok(())
        }
        Ok(None) => Err(Trouble::Wrong("a fresh code was refused under load".to_owned())),
        Err(trouble) => {
            ledger.undecided.push((app, receipt));
            Err(trouble)
        }
    }
}

fn index(sequence: &mut Sequence, length: usize) -> usize {
    usize::try_from(sequence.below(length as u64)).unwrap_or_default()
}
