//! JSON-RPC batches of revision 2025-03-26: taken apart here, because the SDK knows single messages only.
//!
//! Requests run beside each other. In a session the answer is one event stream woven from theirs, so that a tool can
//! ask back; without one, or for a client that reads only JSON, it is one JSON array.

use actix_web::HttpResponse;
use actix_web::http::Method;
use futures_util::stream::{FuturesOrdered, StreamExt as _, select_all};
use serde_json::Value;

use super::message::{self, Message};
use super::reply::{self, Refused, Wish};
use super::stream::{self, SdkResponse};
use super::{Dialogue, Exchange, JSON};

pub(super) async fn answer(
    exchange: &Exchange<'_>,
    messages: &[Message<'_>],
    dialogue: Dialogue,
    wish: Wish,
) -> Result<HttpResponse, Refused> {
    let session = message::header(exchange.request, message::SESSION_ID).filter(|_| dialogue == Dialogue::Session);
    let sent: FuturesOrdered<_> =
        messages.iter().map(|message| exchange.dispatch(message.bytes.clone(), Method::POST, dialogue, session)).collect();
    let responses: Vec<SdkResponse> = sent.collect().await;
    // Notifications, and the client's answers to our questions, have no answer themselves.
    let with_answer = responses.into_iter().zip(messages).filter(|(_, message)| message.id().is_some());
    let responses: Vec<SdkResponse> = with_answer.map(|(response, _)| response).collect();
    let Some(first) = responses.first() else {
        return Ok(HttpResponse::Accepted().finish());
    };
    if wish == Wish::Either && responses.iter().all(stream::is_stream) {
        let mut answer = reply::head(first);
        let woven = select_all(responses.into_iter().map(|response| stream::events(response.into_body())));
        return Ok(answer.streaming(woven.map(|event| Ok::<_, actix_web::Error>(event.into_bytes()))));
    }
    let mut answers = Vec::with_capacity(responses.len());
    for response in responses {
        answers.extend(last_word(response).await);
    }
    Ok(HttpResponse::Ok().insert_header(JSON).body(Value::Array(answers).to_string()))
}

/// The JSON-RPC answer in a response of the SDK, however it is wrapped.
async fn last_word(response: SdkResponse) -> Option<Value> {
    if !stream::is_stream(&response) {
        return serde_json::from_slice(&stream::whole(response.into_body()).await).ok();
    }
    let mut events = stream::events(response.into_body());
    while let Some(event) = events.next().await {
        if let Some(answer) = event.response() {
            return Some(answer);
        }
    }
    None
}
