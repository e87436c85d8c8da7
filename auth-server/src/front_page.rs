//! The front page, `GET /`: what this is and the address to give to a client. And the page behind every error that a person meets.

use actix_web::{HttpRequest, HttpResponse, http::StatusCode, web};
use askama::Template as _;
use oauth_types::Error;

use crate::{
    App, browser,
    http::reply::AsPage,
    pages::{self, ErrorPage, HomePage, HomeSession, ResourceLine, Story},
    routes,
};

/// `GET /`
pub(crate) async fn get(app: web::Data<App>, request: HttpRequest) -> Result<HttpResponse, AsPage> {
    let frame = pages::frame(&app.i18n, &app.config, &request, None);
    let session = match browser::signed_in(&request, &app.config.issuer, &app.store, app.clock.now()).await? {
        Some(signed) => {
            let subject = app.store.subject(&signed.row.subject).await.map_err(Error::from)?;
            let account = subject.map(|subject| subject.display_name).unwrap_or_default();
            Some(HomeSession {
                sentence: frame.words.say_with("home-signed-in", &[("account", &account)]),
                logout_href: routes::LOGOUT.to_owned(),
            })
        }
        None => None,
    };
    let line = |resource: &crate::config::Resource| ResourceLine { name: resource.name.clone(), uri: resource.uri.as_str().to_owned() };
    let page = HomePage { frame, resources: app.config.resources.iter().map(line).collect(), session };
    Ok(pages::answer(StatusCode::OK, &frame, &page, None))
}

/// Draws an error for a person, in their language; `http::trace` asks for it.
pub(crate) fn error_page(request: &HttpRequest, error: &Error, reference: &str) -> Option<String> {
    let app = request.app_data::<web::Data<App>>()?;
    let frame = pages::frame(&app.i18n, &app.config, request, None);
    ErrorPage::of(Story::of(error), frame, Some(reference)).render().ok()
}
