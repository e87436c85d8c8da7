//! Attack 52: size, depth, time and shape of a body.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::support::{Stand, call, sent};

#[actix_web::test]
async fn a_body_that_is_too_large_is_refused_whether_or_not_it_says_so() {
    let stand = Stand::open().await;
    let message = |size: usize| call(1, "tools/call", json!({ "name": "echo", "arguments": { "message": "x".repeat(size) } }));
    let reply = sent(stand.post(&stand.alice(), &message(10 * 1024 * 1024))).await;
    assert_eq!(reply.status, 413);
    assert_eq!(stand.reason(&reply), "body_too_large");
    assert_eq!(sent(stand.post(&stand.alice(), &message(900 * 1024))).await.status, 200);
}

#[actix_web::test]
async fn deep_nesting_is_refused_and_the_server_lives() {
    let stand = Stand::open().await;
    let nested = |depth: usize| {
        let arguments: Value = (0..depth).fold(json!("x"), |inner, _| json!([inner]));
        format!(
            r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"echo","arguments":{{"message":"hi","deep":{arguments}}}}}}}"#
        )
    };
    let post =
        |body: String| stand.request(Method::POST, "/mcp").bearer_auth(stand.alice()).header("content-type", "application/json").body(body);
    let reply = sent(post(nested(62))).await;
    assert_eq!(reply.status, 400);
    assert_eq!(stand.reason(&reply), "json_too_deep");
    assert_eq!(sent(post("[".repeat(500_000))).await.status, 400);
    assert_eq!(sent(post(nested(61))).await.status, 200);
}

#[actix_web::test]
async fn what_is_not_json_or_not_json_rpc_has_its_code() {
    let stand = Stand::open().await;
    let post = |body: &'static str| {
        stand.request(Method::POST, "/mcp").bearer_auth(stand.alice()).header("content-type", "application/json").body(body)
    };
    for broken in ["", "{", "nonsense", "{\"jsonrpc\":\"2.0\"", "[1,"] {
        let reply = sent(post(broken)).await;
        assert_eq!((reply.status.as_u16(), &reply.message()["error"]["code"]), (400, &json!(-32700)), "{broken}");
    }
    for shapeless in [
        "{}",
        "1",
        "\"x\"",
        r#"{"jsonrpc":"1.0","id":1,"method":"ping"}"#,
        r#"{"jsonrpc":"2.0","id":1}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":7}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/list","method":"tools/call"}"#,
    ] {
        let reply = sent(post(shapeless)).await;
        assert_eq!((reply.status.as_u16(), &reply.message()["error"]["code"]), (400, &json!(-32600)), "{shapeless}");
    }
    let reply = sent(post(r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":7}}"#)).await;
    assert_eq!(reply.message()["error"]["code"], -32602);
    let form = stand.request(Method::POST, "/mcp").bearer_auth(stand.alice()).header("content-type", "text/plain").body("{}");
    assert_eq!(sent(form).await.status, 415);
}

#[actix_web::test]
async fn a_body_that_drips_is_cut_off() {
    let stand = Stand::open().await;
    let address = stand.origin.strip_prefix("http://").unwrap();
    let mut connection = tokio::net::TcpStream::connect(address).await.unwrap();
    let head = format!(
        "POST /mcp HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {}\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{{",
        stand.alice()
    );
    connection.write_all(head.as_bytes()).await.unwrap();
    let mut answer = vec![0; 12];
    let read = tokio::time::timeout(Duration::from_secs(20), connection.read_exact(&mut answer)).await;
    read.expect("the server does not wait for ever").unwrap();
    assert_eq!(String::from_utf8(answer).unwrap(), "HTTP/1.1 408");
}

/// A subscription stays open for as long as its client likes, so their number has an end for each person and client.
#[actix_web::test]
async fn subscriptions_of_one_caller_have_an_end_and_leaving_makes_room() {
    const OPEN_MAX: usize = 32;
    let stand = Stand::open().await;
    let (alice, mallory) = (stand.alice(), stand.token("mallory", "agent", "mcp:read").mint());
    // The stream begins alike either way; a refusal is its next and last event.
    let listen = async |token: &str| {
        let request = stand.modern(token, "subscriptions/listen", json!({ "notifications": { "resourcesListChanged": true } }));
        let mut stream = request.send().await.unwrap();
        let mut seen = String::new();
        let reading = async {
            while let Some(chunk) = stream.chunk().await.unwrap() {
                seen.push_str(&String::from_utf8_lossy(&chunk));
                if seen.contains("too many subscriptions are open") {
                    return true;
                }
            }
            panic!("the stream ended: {seen}")
        };
        let is_refused = tokio::time::timeout(Duration::from_millis(200), reading).await.unwrap_or(false);
        (!is_refused).then_some(stream)
    };
    let mut open = Vec::new();
    for number in 0..OPEN_MAX {
        open.push(listen(&alice).await.unwrap_or_else(|| panic!("subscription {number} is within the limit")));
    }
    assert!(listen(&alice).await.is_none(), "one too many");
    assert!(listen(&mallory).await.is_some(), "somebody else is not concerned");
    open.pop();
    let again = async {
        while listen(&alice).await.is_none() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), again).await.expect("who leaves makes room");
}
