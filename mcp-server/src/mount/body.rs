//! The body of a POST: all of it, within a size, a time and a depth, or not at all (attack 52).

use std::time::Duration;

use actix_web::web;
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt as _;

/// Largest body. The largest honest one is a note of 64 KiB in a JSON string.
pub(crate) const BODY_BYTES_MAX: usize = 1024 * 1024;
/// Time for the whole body: honest clients send it in one go.
pub(crate) const BODY_TIME_MAX: Duration = Duration::from_secs(10);
/// Deepest nesting of arrays and objects. Tool arguments are flat; the JSON reader of the SDK stops at 128.
pub(crate) const JSON_DEPTH_MAX: usize = 64;

/// Why a body was not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BodyFault {
    TooLarge,
    TooSlow,
    BrokenOff,
    TooDeep,
}

/// Reads the body to its end.
pub(crate) async fn read(mut payload: web::Payload) -> Result<Bytes, BodyFault> {
    let whole = async {
        let mut body = BytesMut::new();
        while let Some(chunk) = payload.next().await {
            let chunk = chunk.map_err(|_| BodyFault::BrokenOff)?;
            if body.len() + chunk.len() > BODY_BYTES_MAX {
                return Err(BodyFault::TooLarge);
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body.freeze())
    };
    let body = tokio::time::timeout(BODY_TIME_MAX, whole).await.map_err(|_| BodyFault::TooSlow)??;
    if depth_is_within(&body, JSON_DEPTH_MAX) { Ok(body) } else { Err(BodyFault::TooDeep) }
}

/// One pass over the bytes; strings are skipped, so that brackets in a text do not count.
fn depth_is_within(json: &[u8], max: usize) -> bool {
    let mut depth = 0_usize;
    let mut in_string = false;
    let mut escaped = false;
    for byte in json {
        if in_string {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => in_string = false,
                _ => {}
            }
            continue;
        }
        match byte {
            b'"' => in_string = true,
            b'[' | b'{' => {
                depth += 1;
                if depth > max {
                    return false;
                }
            }
            b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn depth_counts_brackets_outside_strings() {
        assert!(depth_is_within(br#"{"a":[{"b":"[[[[\"[["}]}"#, 3));
        assert!(!depth_is_within(br#"{"a":[{"b":[]}]}"#, 3));
        assert!(depth_is_within("[]".repeat(1000).as_bytes(), 1));
        assert!(!depth_is_within("[".repeat(65).as_bytes(), JSON_DEPTH_MAX));
        assert!(depth_is_within(b"]]]]", 1));
    }
}
