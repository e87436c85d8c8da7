//! Holds a server that has been killed to what it had acknowledged.

use crate::Result;
use crate::closing::{Tally, say};
use crate::server::House;
use crate::visitor::{App, Receipt};
use crate::wire::Connection;

use super::ledger::{Held, Ledger};

/// Every second grant is given up to see that its code is not good again; the others live on into the next round.
const REPLAYED_EVERY: usize = 2;

/// The rules of one round, each with what broke it.
#[derive(Default)]
pub(super) struct Verdict {
    rules: Vec<(&'static str, usize, Vec<String>)>,
}

impl Verdict {
    /// Judges one round; what still stands afterwards moves to `survivors`.
    pub(super) fn of_round(house: &House, ledger: Ledger, survivors: &mut Ledger) -> Result<Self> {
        let mut connection = Connection::open(&house.authority)?;
        let mut verdict = Self::default();
        verdict.registrations(&mut connection, &ledger.apps)?;
        let mut held = ledger.held;
        verdict.grants(&mut connection, &mut held)?;
        verdict.unspent_codes(&mut connection, &ledger.unspent)?;
        verdict.undecided_codes(&mut connection, &ledger.undecided)?;
        let (mut lost, mut replayed) = (Vec::new(), 0);
        for (index, grant) in held.into_iter().enumerate() {
            if index % REPLAYED_EVERY == 0 {
                replayed += 1;
                lost.extend(spent_code_is_refused(&mut connection, &grant)?);
            } else {
                survivors.held.push(grant);
            }
        }
        verdict.rules.push(("no code is redeemed twice, and its replay ends the grant", replayed, lost));
        survivors.apps.extend(ledger.apps);
        Ok(verdict)
    }

    /// Judges what all the rounds left behind.
    pub(super) fn of_survivors(house: &House, survivors: &Ledger) -> Result<Self> {
        let mut connection = Connection::open(&house.authority)?;
        let mut verdict = Self::default();
        verdict.registrations(&mut connection, &survivors.apps)?;
        let mut broken = Vec::new();
        for grant in &survivors.held {
            if grant.app.refresh(&mut connection, &grant.tokens.refresh)?.is_none() {
                broken.push(format!("a grant of client {} is lost", grant.app.client_id));
            }
        }
        verdict.rules.push(("no acknowledged grant is lost", survivors.held.len(), broken));
        Ok(verdict)
    }

    fn registrations(&mut self, connection: &mut Connection, apps: &[App]) -> Result<()> {
        let mut broken = Vec::new();
        for app in apps {
            if !app.is_known(connection)? {
                broken.push(format!("client {} is lost", app.client_id));
            }
        }
        self.rules.push(("no acknowledged registration is lost", apps.len(), broken));
        Ok(())
    }

    fn grants(&mut self, connection: &mut Connection, held: &mut [Held]) -> Result<()> {
        let mut broken = Vec::new();
        for grant in &mut *held {
            if !grant.tokens.are_admitted(connection)? {
                broken.push(format!("an access token of client {} is refused", grant.app.client_id));
            }
            match grant.app.refresh(connection, &grant.tokens.refresh)? {
                Some(tokens) => grant.tokens = tokens,
                None => broken.push(format!("a grant of client {} is lost", grant.app.client_id)),
            }
        }
        self.rules.push(("no acknowledged grant is lost", held.len(), broken));
        Ok(())
    }

    fn unspent_codes(&mut self, connection: &mut Connection, unspent: &[(App, Receipt)]) -> Result<()> {
        let mut broken = Vec::new();
        for (app, receipt) in unspent {
            let first = app.redeem(connection, receipt)?.is_some();
            let second = app.redeem(connection, receipt)?.is_some();
            if !first || second {
                broken.push(format!("an unspent code: first try {first}, second try {second}"));
            }
        }
        self.rules.push(("an acknowledged code is good, and once", unspent.len(), broken));
        Ok(())
    }

    fn undecided_codes(&mut self, connection: &mut Connection, undecided: &[(App, Receipt)]) -> Result<()> {
        let mut broken = Vec::new();
        for (app, receipt) in undecided {
            let first = app.redeem(connection, receipt)?.is_some();
            let second = app.redeem(connection, receipt)?.is_some();
            if second {
                broken.push(format!("an undecided code was good again: first try {first}"));
            }
        }
        self.rules.push(("a redemption cut off is decided once", undecided.len(), broken));
        Ok(())
    }

    /// Prints what broke and counts each rule that had something to judge as one test.
    pub(super) fn report(&self, name: &str) -> Tally {
        let mut tally = Tally::default();
        for (rule, judged, broken) in self.rules.iter().filter(|(_, judged, _)| *judged > 0) {
            tally.add(Tally::of(broken.is_empty()));
            match broken.first() {
                None => say(&format!("  ok {name}: {rule} ({judged})")),
                Some(first) => say(&format!("  not ok {name}: {rule}: {} faults in {judged}; {first}", broken.len())),
            }
        }
        tally
    }
}

/// The code of a living grant is presented again: refused, and the grant ends with it (OAuth 2.1 §4.1.3).
fn spent_code_is_refused(connection: &mut Connection, grant: &Held) -> Result<Option<String>> {
    if grant.app.redeem(connection, &grant.spent)?.is_some() {
        return Ok(Some("a spent code was good again".to_owned()));
    }
    let still_alive = grant.app.refresh(connection, &grant.tokens.refresh)?.is_some();
    Ok(still_alive.then(|| "the grant outlived the replay of its code".to_owned()))
}
