//! Events of streams that are cut anywhere.

use bytes::Bytes;
use proptest::{collection::vec, prelude::*, sample::select};

use super::{Decoder, Event, MAX_EVENT_BYTES, TooLong};

fn data(text: &str) -> Event {
    Event::Data(Bytes::copy_from_slice(text.as_bytes()))
}

/// Decodes the pieces; the second value is what the end cut off.
fn decode<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> (Vec<Result<Event, TooLong>>, Option<Event>) {
    let mut decoder = Decoder::new();
    let mut events = Vec::new();
    for piece in pieces {
        decoder.push(Bytes::copy_from_slice(piece));
        events.extend(decoder.by_ref());
    }
    (events, decoder.finish())
}

#[test]
fn every_form_of_line_is_read_as_the_rule_says_however_it_is_cut() {
    let cases: [(&str, Vec<Event>, Option<Event>); 24] = [
        ("", vec![], None),
        ("\n\n\n", vec![], None),
        ("data: a\n\n", vec![data("a")], None),
        ("data:a\n\n", vec![data("a")], None),
        ("data:  a \n\n", vec![data(" a ")], None),
        ("data: a\r\n\r\n", vec![data("a")], None),
        ("data: a\r\n\ndata: b\n\r\n", vec![data("a"), data("b")], None),
        ("data: a\rb\n\n", vec![data("a\rb")], None),
        ("data: {\"ü\":\"😀\"}\n\n", vec![data("{\"ü\":\"😀\"}")], None),
        ("data: a\ndata: b\n\n", vec![data("a\nb")], None),
        ("data: a\ndata\ndata:\n\n", vec![data("a\n\n")], None),
        ("data\n\n", vec![data("")], None),
        ("data: {\"a\":1}\ndata: {\"b\":2}\n\n", vec![data("{\"a\":1}\n{\"b\":2}")], None),
        (": OPENROUTER PROCESSING\n\n", vec![Event::Comment], None),
        (":\n:\ndata: a\n:\n\n", vec![Event::Comment, Event::Comment, Event::Comment, data("a")], None),
        ("event: x\nid: 1\nretry: 5\ndata: a\nunknown\n\n", vec![data("a")], None),
        ("event: x\n\n", vec![], None),
        ("database: x\n data: y\nDATA: z\n\n", vec![], None),
        ("data: [DONE]\n\n", vec![Event::Done], None),
        ("data:  [DONE] \r\n\r\n", vec![Event::Done], None),
        ("\u{feff}data: a\n\n\u{feff}data: b\n\n", vec![data("a")], None),
        ("data: a\n\ndata: b\n", vec![data("a")], Some(data("b"))),
        ("data: a\n\ndata: [DONE]", vec![data("a")], Some(Event::Done)),
        (": a\n\nda", vec![Event::Comment], None),
    ];
    for (stream, events, rest) in cases {
        let expected = (events.into_iter().map(Ok).collect(), rest);
        assert_eq!(decode([stream.as_bytes()]), expected, "whole: {stream:?}");
        assert_eq!(decode(stream.as_bytes().chunks(1)), expected, "by the byte: {stream:?}");
    }
}

#[test]
fn data_within_one_piece_is_a_slice_of_it() {
    let piece = Bytes::from_static(b": x\n\ndata: abc\n\ndata: d");
    let mut decoder = Decoder::new();
    decoder.push(piece.clone());
    let events: Vec<_> = decoder.by_ref().collect();
    let [Ok(Event::Comment), Ok(Event::Data(found))] = events.as_slice() else {
        panic!("a comment and data are expected, not {events:?}");
    };
    assert_eq!(found.as_ptr(), piece[11..].as_ptr());
}

#[test]
fn pieces_pushed_without_taking_events_lose_nothing() {
    let mut decoder = Decoder::new();
    for piece in ["data: a\n\nda", "ta: b\n", "\n"] {
        decoder.push(Bytes::from(piece));
    }
    assert_eq!(decoder.collect::<Vec<_>>(), [Ok(data("a")), Ok(data("b"))]);
}

#[test]
fn an_event_of_the_greatest_length_is_taken_and_a_longer_one_ends_the_stream() {
    let text = |bytes: usize| format!("data: {}\r\n\r\ndata: b\n\n", "a".repeat(bytes - "data: ".len()));
    let longest = text(MAX_EVENT_BYTES);
    let (whole, _) = decode([longest.as_bytes()]);
    assert_eq!(whole.len(), 2);
    assert_eq!(decode(longest.as_bytes().chunks(1000)).0, whole);

    let longer = text(MAX_EVENT_BYTES + 1);
    assert_eq!(decode([longer.as_bytes()]), (vec![Err(TooLong)], None));
    assert_eq!(decode(longer.as_bytes().chunks(1000)), (vec![Err(TooLong)], None));
}

#[test]
fn an_endless_line_and_an_endless_event_are_refused() {
    let piece = vec![b'x'; 1024 * 1024];
    assert_eq!(decode((0..20).map(|_| &*piece)), (vec![Err(TooLong)], None));

    let lines = b"data: 0123456789\n".repeat(64 * 1024);
    assert_eq!(decode((0..32).map(|_| &*lines)), (vec![Err(TooLong)], None));
}

#[test]
fn comments_without_end_are_no_event_and_never_too_long() {
    let comments = b": OPENROUTER PROCESSING\n\n".repeat(40 * 1024);
    let (events, rest) = decode((0..20).map(|_| &*comments));
    assert_eq!((events.len(), rest), (20 * 40 * 1024, None));
    assert!(events.iter().all(|event| *event == Ok(Event::Comment)));
}

proptest! {
    #[test]
    fn any_cut_of_the_same_bytes_gives_the_same_events(
        tokens in vec(select(vec![
            "data:", "data", " ", "\n", "\r\n", "\r", "\n\n", ":", "event: e", "[DONE]", "{\"ä\":1}", "\u{feff}", "x",
        ]), 0..40),
        cuts in vec(0_usize..200, 0..20),
    ) {
        let stream = tokens.concat().into_bytes();
        let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(stream.len())).collect();
        cuts.extend([0, stream.len()]);
        cuts.sort_unstable();
        let pieces = cuts.windows(2).map(|ends| &stream[ends[0]..ends[1]]);
        prop_assert_eq!(decode(pieces), decode([&*stream]));
    }

    #[test]
    fn no_bytes_at_all_make_it_panic(stream in vec(any::<u8>(), 0..200)) {
        prop_assert_eq!(decode(stream.chunks(3)), decode([&*stream]));
    }
}
