//! The two files that pages load: `GET /assets/{name}`.
//!
//! Compiled in, named with a piece of their hash so that a browser may keep them for good and still sees a new release at once.

use std::sync::LazyLock;

use actix_web::{HttpResponse, http::header, web};
use oauth_types::TokenHash;

/// Must name the folder that `routes.rs` mounts [`get`] under.
const FOLDER: &str = "/assets/";

/// A file that is part of the program.
pub(crate) struct Asset {
    name: &'static str,
    kind: &'static str,
    bytes: &'static [u8],
    href: LazyLock<String>,
}

impl Asset {
    /// The address with a piece of the content's hash.
    pub(crate) fn href(&'static self) -> &'static str {
        &self.href
    }
}

/// The style of every page.
pub(crate) static STYLE: Asset = Asset {
    name: "style.css",
    kind: "text/css; charset=utf-8",
    bytes: include_bytes!("../../../templates/assets/style.css"),
    href: LazyLock::new(|| versioned(&STYLE)),
};

/// The doorway.
pub(crate) static MARK: Asset = Asset {
    name: "mark.svg",
    kind: "image/svg+xml",
    bytes: include_bytes!("../../../templates/assets/mark.svg"),
    href: LazyLock::new(|| versioned(&MARK)),
};

fn versioned(asset: &Asset) -> String {
    let hash = TokenHash::of(asset.bytes).text();
    format!("{FOLDER}{}?v={}", asset.name, &hash[..8])
}

/// `GET /assets/{name}`
pub(crate) async fn get(name: web::Path<String>) -> HttpResponse {
    let Some(asset) = [&STYLE, &MARK].into_iter().find(|asset| asset.name == name.as_str()) else {
        return HttpResponse::NotFound().insert_header((header::CACHE_CONTROL, "no-store")).finish();
    };
    HttpResponse::Ok()
        .insert_header((header::CONTENT_TYPE, asset.kind))
        .insert_header((header::CACHE_CONTROL, "public, max-age=31536000, immutable"))
        .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        // An SVG opened by itself is a document: it may do nothing.
        .insert_header((header::CONTENT_SECURITY_POLICY, "default-src 'none'; style-src 'unsafe-inline'; sandbox"))
        .body(asset.bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_style_loads_nothing_from_elsewhere() {
        let style = std::str::from_utf8(STYLE.bytes).expect("CSS is text");
        for forbidden in ["url(/", "url(\"/", "//", "@import", "http:", "https:", "data:"] {
            assert!(!style.contains(forbidden), "the style holds `{forbidden}`");
        }
    }

    #[actix_web::test]
    async fn a_known_file_is_given_and_an_unknown_one_is_not() {
        let style = get(web::Path::from("style.css".to_owned())).await;
        assert_eq!(style.status(), 200);
        assert_eq!(style.headers().get("content-type").and_then(|value| value.to_str().ok()), Some("text/css; charset=utf-8"));
        assert_eq!(get(web::Path::from("../Cargo.toml".to_owned())).await.status(), 404);
    }

    #[test]
    fn the_address_changes_with_the_content() {
        assert!(STYLE.href().starts_with("/assets/style.css?v="));
        assert_ne!(STYLE.href().split('=').nth(1), MARK.href().split('=').nth(1));
    }
}
