//! The documents as MCP resources: a paged list, a template, reading, and news of changes.

use rmcp::ErrorData;
use rmcp::model::*;
use rmcp::service::SubscriptionContext;

use crate::app::App;
use crate::documents::{Listed, Reader};
use crate::handler::LIST_TTL_MS;

/// Documents on one page of the list.
const PAGE: usize = 100;
const SCHEME: &str = "documents://";
pub(crate) const TEMPLATE: &str = "documents://{id}";

pub(crate) fn uri_of(id: &str) -> String {
    format!("{SCHEME}{id}")
}

/// The cursor is the last id of the page before: opaque to clients, harmless when forged (what it skips is only order).
pub(crate) async fn list(app: &App, cursor: Option<String>, reader: &Reader) -> Result<ListResourcesResult, ErrorData> {
    let mut listed = app.documents.list(cursor.as_deref(), PAGE + 1, reader).await.map_err(|error| unreadable(&error))?;
    let more = listed.len() > PAGE;
    listed.truncate(PAGE);
    let next_cursor = if more { listed.last().map(|last| last.id.clone()) } else { None };
    let mut resources: Vec<Resource> = listed.into_iter().map(resource).collect();
    if cursor.is_none()
        && let Some(fixtures) = &app.fixtures
    {
        resources.extend(fixtures.resources());
    }
    let mut result = ListResourcesResult::with_all_items(resources).with_ttl_ms(LIST_TTL_MS).with_cache_scope(CacheScope::Private);
    result.next_cursor = next_cursor;
    Ok(result)
}

fn resource(listed: Listed) -> Resource {
    let size = u64::try_from(listed.size).unwrap_or_default();
    Resource::new(uri_of(&listed.id), listed.path).with_title(listed.title).with_mime_type(listed.media_type).with_size(size)
}

pub(crate) fn templates(app: &App) -> ListResourceTemplatesResult {
    let documents = ResourceTemplate::new(TEMPLATE, "document")
        .with_title("Document")
        .with_description("A document by the id that search returned")
        .with_mime_type("text/plain");
    let mut templates = vec![documents];
    if let Some(fixtures) = &app.fixtures {
        templates.extend(fixtures.templates());
    }
    ListResourceTemplatesResult::with_all_items(templates).with_ttl_ms(LIST_TTL_MS).with_cache_scope(CacheScope::Private)
}

pub(crate) async fn read(app: &App, uri: &str, reader: &Reader) -> Result<ReadResourceResult, ErrorData> {
    if let Some(contents) = app.fixtures.as_ref().and_then(|fixtures| fixtures.read(uri)) {
        return Ok(ReadResourceResult::new(vec![contents]).with_ttl_ms(LIST_TTL_MS).with_cache_scope(CacheScope::Private));
    }
    let id = uri.strip_prefix(SCHEME).ok_or_else(|| unknown(uri))?;
    let document = app.documents.document(id, reader).await.map_err(|error| unreadable(&error))?.ok_or_else(|| unknown(uri))?;
    let contents = ResourceContents::TextResourceContents {
        uri: uri.to_owned(),
        mime_type: Some(document.media_type),
        text: document.text,
        meta: None,
    };
    Ok(ReadResourceResult::new(vec![contents]).with_ttl_ms(LIST_TTL_MS).with_cache_scope(CacheScope::Private))
}

/// Only what can be read can be watched: a subscription is no oracle for other people's notes.
pub(crate) async fn must_exist(app: &App, uri: &str, reader: &Reader) -> Result<(), ErrorData> {
    read(app, uri, reader).await.map(drop)
}

/// 2026-07-28 `subscriptions/listen`: news until the client hangs up.
pub(crate) async fn listen(app: &App, subscription: &SubscriptionContext, reader: &Reader) -> Result<(), ErrorData> {
    let mut news = app.documents.news(reader.clone());
    let sink = subscription.sink();
    let wanted = subscription.accepted();
    loop {
        let news = tokio::select! {
            () = subscription.cancelled() => return Ok(()),
            news = news.next() => match news {
                Some(news) => news,
                None => return Ok(()),
            },
        };
        if news.listed && wanted.resources_list_changed == Some(true) && sink.notify_resource_list_changed().await.is_err() {
            return Ok(());
        }
        for uri in news.ids.iter().map(|id| uri_of(id)) {
            let watched = wanted.resource_subscriptions.as_ref().is_some_and(|uris| uris.contains(&uri));
            if watched && sink.notify_resource_updated(uri).await.is_err() {
                return Ok(());
            }
        }
    }
}

fn unknown(uri: &str) -> ErrorData {
    ErrorData::resource_not_found("there is no such resource", Some(serde_json::json!({ "uri": uri })))
}

fn unreadable(error: &sqlx::Error) -> ErrorData {
    tracing::error!(event = "documents.unreadable", reason = "index_failed", error = %error, "could not read the index of documents");
    ErrorData::internal_error("the documents cannot be read at the moment", None)
}
