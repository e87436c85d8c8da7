//! Sets the stage for the loads: clients, a signed-in person with remembered consent, grants with living tokens.

use serde_json::json;

use crate::Result;
use crate::server::House;
use crate::visitor::{App, KNOWN_REDIRECT, Person, authorization_target};
use crate::wire::{Connection, form};

use super::figures::Grant;

/// Several clients with several grants each: no cache of one client flatters the figures.
const PUBLIC_APPS: usize = 32;
const GRANTS_PER_APP: usize = 8;

/// Everything that the loads need to begin.
pub(super) struct Stage {
    pub(super) grants: Vec<Grant>,
    pub(super) access_token: String,
    pub(super) journeys: Vec<serde_json::Value>,
}

impl Stage {
    pub(super) fn set(house: &House) -> Result<Self> {
        let mut connection = Connection::open(&house.authority)?;
        let mut stage = Self { grants: Vec::new(), access_token: String::new(), journeys: Vec::new() };
        for number in 0..PUBLIC_APPS {
            // A browser of its own each: one browser may not begin flows without end.
            let mut person = Person::new(house.username, &house.password);
            let app = App::register_for(&mut connection, &format!("Bench {number}"), KNOWN_REDIRECT)?;
            for _ in 0..GRANTS_PER_APP {
                stage.access_token = grant(&mut connection, &mut person, &app, &mut stage.grants)?;
            }
            for _ in 0..GRANTS_PER_APP {
                stage.journeys.push(journey(&connection, &person, &app)?);
            }
        }
        Ok(stage)
    }
}

/// One whole journey; keeps the refresh token and returns the access token.
pub(super) fn grant(connection: &mut Connection, person: &mut Person, app: &App, grants: &mut Vec<Grant>) -> Result<String> {
    let receipt = person.allow(connection, app)?;
    let tokens = app.redeem(connection, &receipt)?.ok_or("a fresh code was refused")?;
    grants.push(Grant { client_id: app.client_id.clone(), refresh_token: tokens.refresh });
    Ok(tokens.access)
}

/// The two requests of a code grant, as a signed-in browser and a public client send them.
fn journey(connection: &Connection, person: &Person, app: &App) -> Result<serde_json::Value> {
    let (target, verifier) = authorization_target(app)?;
    let authorize = format!(
        "GET {target} HTTP/1.1\r\nhost: {}\r\ncookie: {}\r\naccept: text/html,application/xhtml+xml\r\n\
         accept-language: en-GB,en;q=0.9\r\nsec-fetch-site: cross-site\r\nsec-fetch-mode: navigate\r\nsec-fetch-dest: document\r\n\
         user-agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36\r\n\r\n",
        connection.authority(),
        person.cookie_header(),
    );
    let fixed = form(&[
        ("grant_type", "authorization_code"),
        ("code_verifier", &verifier),
        ("redirect_uri", &app.redirect_uri),
        ("client_id", &app.client_id),
    ]);
    Ok(json!({ "authorize": authorize, "token_body": format!("{fixed}&code={{code}}") }))
}
