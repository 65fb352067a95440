//! Tests of the manners: bodies on one side, what is read on the other.
//!
//! The types are made for the tests; the real ones are in `wire`.

use std::borrow::Cow;

use super::*;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Order<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
    count: Option<u32>,
    parts: Vec<Part>,
    #[serde(borrow)]
    schema: Option<&'a RawValue>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Part {
    text: String,
    more: Option<Box<Self>>,
}

type Read = (String, Option<u32>, Vec<String>, Option<String>);

fn read(body: &str) -> Result<Read, String> {
    let order: Order<'_> = decode(body.as_bytes()).map_err(|refused| refused.0)?;
    let parts = order.parts.into_iter().map(|part| part.more.map_or(part.text, |more| more.text)).collect();
    Ok((order.name.into_owned(), order.count, parts, order.schema.map(|raw| raw.get().to_owned())))
}

fn given(name: &str, count: Option<u32>, parts: &[&str]) -> Read {
    (name.to_owned(), count, parts.iter().map(|part| (*part).to_owned()).collect(), None)
}

#[test]
fn keys_match_in_any_case_nulls_are_absent_and_the_rest_is_ignored() {
    let cases = [
        (r#"{"NAME":"a","Count":1}"#, given("a", Some(1), &[])),
        (r#"{"name":null,"count":null,"parts":null,"schema":null}"#, given("", None, &[])),
        (r#"{"name":"a","Name":"b","name":null}"#, given("b", None, &[])),
        (r#"{"name":"a","unknown":{"name":[1,2]}} trailing {"#, given("a", None, &[])),
        (r#"{"parts":[{"TEXT":"x"},null,{"more":{"Text":"y"}}]}"#, given("", None, &["x", "", "y"])),
        (" \n null", given("", None, &[])),
        ("{}", given("", None, &[])),
    ];
    for (body, expected) in cases {
        assert_eq!(read(body), Ok(expected), "{body}");
    }
}

#[test]
fn raw_values_are_not_touched() {
    let body = r#"{"schema":{"Type":null, "NAME":[ 1 ]}}"#;
    assert_eq!(read(body).map(|order| order.3), Ok(Some(r#"{"Type":null, "NAME":[ 1 ]}"#.to_owned())));
}

#[test]
fn text_without_escapes_is_borrowed_from_the_body() {
    let order: Result<Order<'_>, Refused> = decode(br#"{"name":"plain"}"#);
    assert!(matches!(order, Ok(Order { name: Cow::Borrowed("plain"), .. })), "{order:?}");
}

#[test]
fn errors_name_the_place_and_the_kind_but_not_the_value() {
    let cases = [
        ("", "missing request body"),
        (" \r\n", "missing request body"),
        (r#"{"name":"a""#, "unexpected EOF"),
        (r#"{"name":x}"#, "invalid JSON: expected value at line 1 column 9"),
        ("[1]", "json: cannot unmarshal array: expected an object"),
        (r#"{"count":"secret, expected"}"#, "json: cannot unmarshal string into field count: expected u32"),
        (r#"{"parts":[{"text":[]}]}"#, "json: cannot unmarshal array into field parts.text: expected a string"),
        (
            r#"{"parts":[{"more":{"text":1}}]}"#,
            "json: cannot unmarshal number into field parts.more.text: expected a string",
        ),
        (r#"{"parts":{}}"#, "json: cannot unmarshal object into field parts: expected a list"),
        (r#"{"parts":["x"]}"#, "json: cannot unmarshal string into field parts: expected an object"),
    ];
    for (body, expected) in cases {
        assert_eq!(read(body), Err(expected.to_owned()), "{body}");
    }
}
