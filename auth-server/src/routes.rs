//! Every URL of the authorization server, one line each, with its RFC. Nothing else names a path.

use std::sync::Arc;

use actix_web::{http::Method, web};
use oauth_types::{FlowId, IdpId};

use crate::{
    App, authorize, backchannel_logout, discovery, ended, front_page, health,
    http::{
        route::{self, Endpoint},
        site::Site,
        trace::Trace,
    },
    introspect, logout, pages, register, revoke, token, userinfo, verify,
};

pub(crate) const HOME: &str = "/";
pub(crate) const AUTHORIZE: &str = "/authorize";
pub(crate) const TOKEN: &str = "/token";
pub(crate) const REGISTER: &str = "/register";
pub(crate) const REGISTRATION: &str = "/register/{client_id}";
pub(crate) const REVOKE: &str = "/revoke";
pub(crate) const INTROSPECT: &str = "/introspect";
pub(crate) const JWKS: &str = "/jwks.json";
pub(crate) const ENDED: &str = "/ended";
pub(crate) const CONSENT: &str = "/consent/{flow}";
pub(crate) const LOGIN: &str = "/login/{flow}";
pub(crate) const CALLBACK: &str = "/callback/{idp}";
pub(crate) const LOGOUT: &str = "/logout";
pub(crate) const USERINFO: &str = "/userinfo";
const BACKCHANNEL_LOGOUT: &str = "/backchannel-logout/{idp}";
/// All of them: a provider may call us by an internal name.
const BACKCHANNEL_LOGOUTS: &str = "/backchannel-logout/";
pub(crate) const ASSETS: &str = "/assets/{name}";
pub(crate) const AUTHORIZATION_SERVER: &str = "/.well-known/oauth-authorization-server";
pub(crate) const OPENID_CONFIGURATION: &str = "/.well-known/openid-configuration";
const PROTECTED_RESOURCE: &str = "/.well-known/oauth-protected-resource";
const VERIFY: &str = "/verify";
const HEALTH_LIVE: &str = "/health/live";
const HEALTH_READY: &str = "/health/ready";

/// Paths that machines reach by an address or an internal name: they answer under any `Host`.
const ANY_HOST: [&str; 7] = [HEALTH_LIVE, HEALTH_READY, JWKS, ENDED, INTROSPECT, VERIFY, BACKCHANNEL_LOGOUTS];

/// The consent page of this flow.
pub(crate) fn consent_of(flow: &FlowId) -> String {
    CONSENT.replace("{flow}", flow.as_str())
}

/// The sign-in page of this flow.
pub(crate) fn login_of(flow: &FlowId) -> String {
    LOGIN.replace("{flow}", flow.as_str())
}

/// The sign-in of this flow, in this way.
pub(crate) fn login_at(flow: &FlowId, idp: &str) -> String {
    // An IdpId is small letters, digits and `-`.
    format!("{}?idp={idp}", login_of(flow))
}

/// Where this provider sends people back.
pub(crate) fn callback_of(idp: &IdpId) -> String {
    CALLBACK.replace("{idp}", idp.as_str())
}

/// The management address of this registration (RFC 7592 §2).
pub(crate) fn registration_of(client_id: &str) -> String {
    REGISTRATION.replace("{client_id}", client_id)
}

/// Where the metadata of a service stands (RFC 9728 §3.1).
pub(crate) fn protected_resource_of(path: &str) -> String {
    format!("{PROTECTED_RESOURCE}{path}")
}

/// Something that mounts routes. Behind a pointer, so that everything below it is compiled here, once, and not again in each program.
pub(crate) type Mount = Arc<dyn Fn(&mut web::ServiceConfig) + Send + Sync>;

/// Mounts all of it, with its middleware and an answer for every other path. Mount it last: it takes what is left.
pub(crate) fn configure(app: App) -> Mount {
    let site = Site::new(&app.config.issuer, &app.config.trusted_proxies).any_host(&ANY_HOST).error_page(front_page::error_page);
    let trace = Trace::new(site);
    let app = web::Data::new(app);
    Arc::new(move |services| {
        services.app_data(app.clone()).service(
            web::scope("")
                .wrap(trace.clone())
                // What is asked most stands first: the router goes from line to line, and a pattern costs it more than a plain path.
                // RFC 6749 §3.2, RFC 7662 §2, RFC 7009 §2
                .service(Endpoint::at(TOKEN).open().refusals("token.refused").post(token::post))
                .service(Endpoint::at(INTROSPECT).refusals("introspection.refused").post(introspect::post))
                .service(Endpoint::at(REVOKE).open().refusals("revocation.refused").post(revoke::post))
                // Traefik forward-auth, by the rules of RFC 6750 and RFC 9728 §5.1
                .service(Endpoint::at(VERIFY).quiet().refusals("access.refused").get(verify::get))
                // OAuth 2.1 §4.1.1: GET and POST
                .service(Endpoint::at(AUTHORIZE).page().refusals("authorization.refused").get(authorize::ask).post(authorize::ask))
                // RFC 8414 §3, OpenID Connect Discovery §4
                .service(discovered(AUTHORIZATION_SERVER))
                .service(discovered(OPENID_CONFIGURATION))
                // RFC 7517 §5
                .service(Endpoint::at(JWKS).open().get(discovery::jwks::get))
                // RFC 7591 §3, RFC 7592 §2
                .service(Endpoint::at(REGISTER).open().refusals("registration.refused").post(register::post))
                // The documents once more, with the path of the resource, for clients that ask the MCP host (checklist 15).
                .service(discovered("/.well-known/oauth-authorization-server/{resource:.+}"))
                .service(discovered("/.well-known/openid-configuration/{resource:.+}"))
                // RFC 9728 §3.1, for the services that do not publish it themselves
                .service(Endpoint::at("/.well-known/oauth-protected-resource/{resource:.+}").open().get(discovery::protected_resource::get))
                .service(
                    Endpoint::at(REGISTRATION)
                        .open()
                        .refusals("registration.refused")
                        .get(register::manage::get)
                        .on(Method::PUT, register::manage::put)
                        .on(Method::DELETE, register::manage::delete),
                )
                .service(
                    Endpoint::at(CONSENT).page().refusals("consent.refused").get(authorize::consent::get).post(authorize::consent::post),
                )
                .service(Endpoint::at(LOGIN).page().refusals("login.refused").get(authorize::login::get))
                // OpenID Connect Core §3.1.2.5: where providers send people back
                .service(Endpoint::at(CALLBACK).page().refusals("callback.refused").get(authorize::callback::get))
                .service(Endpoint::at(ENDED).quiet().refusals("ended.refused").get(ended::get))
                // OpenID Connect Back-Channel Logout §2.5
                .service(Endpoint::at(BACKCHANNEL_LOGOUT).refusals("backchannel_logout.refused").post(backchannel_logout::post))
                // OpenID Connect Core §5.3.1: GET and POST
                .service(Endpoint::at(USERINFO).open().refusals("userinfo.refused").get(userinfo::answer).post(userinfo::answer))
                .service(Endpoint::at(LOGOUT).page().refusals("logout.refused").get(logout::get).post(logout::post))
                .service(Endpoint::at(HOME).page().get(front_page::get))
                .service(Endpoint::at(ASSETS).quiet().get(pages::assets::get))
                .service(Endpoint::at(HEALTH_LIVE).quiet().get(health::live))
                .service(Endpoint::at(HEALTH_READY).quiet().get(health::ready))
                .default_service(web::to(route::not_found)),
        );
    })
}

fn discovered(pattern: &'static str) -> Endpoint {
    let endpoint = Endpoint::at(pattern).open();
    if pattern.starts_with(AUTHORIZATION_SERVER) {
        endpoint.get(discovery::authorization_server::get)
    } else {
        endpoint.get(discovery::openid::get)
    }
}
