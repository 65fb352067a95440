//! Bodies of all sorts: pages, plain text, other JSON, comments, headers.

use super::*;
use crate::routing::FailureKind::*;

#[test]
fn comments_before_the_json_are_passed_over() {
    let body = json!({"error": {"code": 429, "message": "Provider returned error"}}).to_string();
    let commented = format!(": OPENROUTER PROCESSING\n\n: OPENROUTER PROCESSING\r\n\n {body}");
    assert_eq!(reply(429, &commented), reply(429, &body));
    check("comments alone", &reply(502, ": nothing else"), ServerError, MODEL);
}

#[test]
fn a_page_of_the_front_means_what_its_status_says_and_nothing_of_key_or_model() {
    let page = "<!DOCTYPE html>\n<html><head><TITLE>\n Attention Required! |\tCloudflare </TITLE></head>";
    let rows = [
        (400, ServerError, MODEL),
        (401, ServerError, MODEL),
        (403, ServerError, MODEL),
        (404, ServerError, MODEL),
        (408, TimedOut, MODEL),
        (413, Refused, REQUEST),
        (429, RateLimitedUnknown, POOL),
        (502, ServerError, MODEL),
        (503, Overloaded, MODEL),
        (504, TimedOut, MODEL),
        (524, TimedOut, MODEL),
        (529, Overloaded, MODEL),
    ];
    for (status, kind, whom) in rows {
        let found = reply(status, page);
        check(&format!("7.3 a page with {status}"), &found, kind, whom);
        let message = "a page instead of an answer: Attention Required! | Cloudflare".to_owned();
        assert_eq!(found, Failure { kind, status, message, retry_after: None });
    }
    let headers = Headers { content_type: Some("text/html; charset=UTF-8"), ..Headers::default() };
    let empty = classify(&Reply { status: 503, headers, body: b"", now_ms: NOW });
    assert_eq!(empty.message, "status 503 without a message");
}

#[test]
fn plain_text_and_other_json_are_taken_by_their_status() {
    let rows = [
        (401, "Unauthorized", KeyRejected, "Unauthorized"),
        (502, "", ServerError, "status 502 without a message"),
        (500, r#"{"detail": "it broke"}"#, ServerError, "it broke"),
        (422, r#"{"message": "no such field"}"#, Refused, "no such field"),
        (404, r#"{"error": "No endpoints found for acme/fox."}"#, Gone, "No endpoints found for acme/fox."),
        (400, r#""text""#, BadRequest, "text"),
    ];
    for (status, body, kind, message) in rows {
        let expected = Failure { kind, status, message: message.to_owned(), retry_after: None };
        assert_eq!(reply(status, body), expected, "{body}");
    }
}

#[test]
fn a_wait_of_the_headers_reaches_the_failure() {
    let headers = Headers { retry_after: Some("5"), ..Headers::default() };
    let found = classify(&Reply { status: 503, headers, body: b"No instances available", now_ms: NOW });
    let message = "No instances available".to_owned();
    let retry_after = Some(Duration::from_secs(5));
    assert_eq!(found, Failure { kind: Overloaded, status: 503, message, retry_after });
}
