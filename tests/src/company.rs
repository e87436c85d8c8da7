//! A company: a stage whose people sign in at its provider, the journeys that lead there, and what may go wrong on the way.

use serde_json::json;
use url::Url;

use crate::idp::Idp;
use crate::journeys::Journey;
use crate::people::{App, Browser, PublicApp, Tokens};
use crate::stage::{Stage, StageBuilder};
use crate::wire::Answer;

/// A callback that is known, so that approvals are remembered.
pub const HOSTED: &str = "https://claude.ai/api/mcp/auth_callback";
/// What the company's provider is called in the configuration.
pub const KEYCLOAK: &str = "keycloak";

/// A server and the provider that its people sign in at.
pub struct Company {
    /// The server.
    pub stage: Stage,
    /// The provider.
    pub idp: Idp,
}

/// A browser that stands at the door of the provider, and what brought it there.
pub struct Departure {
    /// The journey, its browser waiting.
    pub journey: Journey,
    /// Where the browser is sent.
    pub to: Url,
    from: String,
}

impl Company {
    /// The provider is the only way to sign in; everybody may enter.
    pub async fn rise() -> Self {
        Self::with("").await
    }

    /// The same with rules: tables as in a configuration file.
    pub async fn with(rules: &str) -> Self {
        Self::built(Stage::builder().table(rules)).await
    }

    /// The same on a stage of one's own.
    pub async fn built(stage: StageBuilder) -> Self {
        let idp = Idp::rise(|| 0).await;
        let stage = stage.with_idp(&idp, "").rise().await;
        Self { stage, idp }
    }

    /// A client whose approvals are remembered.
    pub async fn hosted_app(&self) -> PublicApp {
        let mut metadata = Stage::usual_registration();
        metadata["client_name"] = "Claude".into();
        metadata["redirect_uris"] = json!([HOSTED]);
        self.stage.public_app_from(&metadata).await
    }

    /// A browser that goes to the provider and back by itself.
    pub fn browser(&self) -> Browser {
        self.stage.browser().signing_in_at(&self.idp)
    }

    /// A journey of such a browser.
    pub fn journey(&self, app: &App) -> Journey {
        app.journey().in_browser(self.browser())
    }

    /// What the client gets when this person signs in, asking for this scope.
    pub async fn tokens_of(&self, person: &str, scope: &str) -> Tokens {
        let app = self.hosted_app().await;
        self.idp.signs_in(person);
        let code = self.journey(&app).with("scope", scope).until_code().await;
        Tokens::of(&app.redeem(&code).await)
    }

    /// What the browser is told in the end when this person signs in.
    pub async fn answer_to(&self, person: &str, scope: &str) -> Answer {
        let app = self.hosted_app().await;
        self.idp.signs_in(person);
        self.journey(&app).with("scope", scope).until_answer().await
    }

    /// Allows, and stops where the browser leaves.
    pub async fn departs(&self, journey: Journey) -> Departure {
        let mut journey = journey.in_browser(self.stage.browser());
        let (page, path) = journey.until_page().await;
        let answer = journey.browser().says_yes(&page, &path).await;
        let (answer, from) = journey.browser().walk(answer, path).await;
        let to = Url::parse(&answer.location()).expect("a departure is a URL");
        assert_eq!(to.origin().ascii_serialization(), self.idp.origin(), "sent elsewhere");
        Departure { journey, to, from }
    }
}

impl Departure {
    /// A parameter of the departure.
    pub fn parameter(&self, name: &str) -> Option<String> {
        self.to.query_pairs().find(|(known, _)| known == name).map(|(_, value)| value.into_owned())
    }

    /// The state that the provider was given.
    pub fn state(&self) -> String {
        self.parameter("state").expect("a departure has a state")
    }

    /// The path on our side that the browser left from.
    pub fn left_from(&self) -> &str {
        &self.from
    }

    /// Where the provider sends the browser back.
    pub async fn callback(&self, idp: &Idp) -> String {
        idp.sends_back(self.to.as_str()).await
    }
}
