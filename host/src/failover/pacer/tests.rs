//! The pacer under a clock that stands still until everybody waits.

use std::{cell::RefCell, rc::Rc};

use futures_util::{
    FutureExt as _,
    future::{join, join_all},
};

use super::*;

fn after(seconds: u64) -> Instant {
    Instant::now() + Duration::from_secs(seconds)
}

/// Sends `count` callers at once, and returns for each, by the second in which it
/// was answered: its number, the second, and the wait it was told.
async fn burst(pacer: &Pacer, count: usize, deadline: Instant) -> Vec<(usize, u64, Option<u64>)> {
    let began = Instant::now();
    let answered = Rc::new(RefCell::new(Vec::new()));
    let callers = (0..count).map(|number| {
        let answered = Rc::clone(&answered);
        async move {
            let late = pacer.turn(deadline).await.err().map(|late| late.wait.as_secs());
            answered.borrow_mut().push((number, began.elapsed().as_secs(), late));
        }
    });
    join_all(callers).await;
    let mut answered = answered.take();
    answered.sort_by_key(|(number, second, _)| (*second, *number));
    answered
}

#[tokio::test(start_paused = true)]
async fn no_minute_sees_more_starts_than_it_may() {
    let pacer = Pacer::new(20);
    let began = Instant::now();
    let mut starts = Vec::new();
    for _ in 0..50 {
        assert_eq!(pacer.turn(after(120)).await, Ok(()));
        starts.push(began.elapsed().as_secs());
    }
    let expected: Vec<u64> = (0..50).map(|number| number / 20 * 60).collect();
    assert_eq!(starts, expected);
}

#[tokio::test(start_paused = true)]
async fn a_burst_is_served_in_its_order_within_the_window() {
    let pacer = Pacer::new(20);
    let answered = burst(&pacer, 40, after(120)).await;
    let expected: Vec<_> = (0..40).map(|number| (number, number as u64 / 20 * 60, None)).collect();
    assert_eq!(answered, expected);
}

#[tokio::test(start_paused = true)]
async fn everybody_who_would_be_late_is_told_at_once_and_how_long() {
    let pacer = Pacer::new(20);
    let answered = burst(&pacer, 70, after(61)).await;
    let late = |number| (number, 0, Some(120));
    let mut expected: Vec<_> = (0..20).map(|number| (number, 0, None)).collect();
    expected.extend((40..70).map(late));
    expected.extend((20..40).map(|number| (number, 60, None)));
    assert_eq!(answered, expected);
}

#[tokio::test(start_paused = true)]
async fn who_departure_gives_the_place_to_those_behind() {
    let pacer = Pacer::new(1);
    assert_eq!(pacer.turn(after(1)).await, Ok(()));
    let began = Instant::now();
    let mut leaver = Box::pin(pacer.turn(after(600)));
    assert_eq!(leaver.as_mut().now_or_never(), None);
    let behind = async {
        assert_eq!(pacer.turn(after(600)).await, Ok(()));
        began.elapsed().as_secs()
    };
    let departure = async {
        tokio::time::advance(Duration::from_secs(10)).await;
        drop(leaver);
    };
    assert_eq!(join(behind, departure).await.0, 60);
}

#[tokio::test(start_paused = true)]
async fn a_hold_delays_those_who_wait_and_turns_away_whom_it_makes_late() {
    let pacer = Pacer::new(1);
    assert_eq!(pacer.turn(after(1)).await, Ok(()));
    tokio::time::advance(Duration::from_secs(30)).await;
    let began = Instant::now();
    let wait = |seconds| {
        let (pacer, deadline) = (&pacer, after(seconds));
        async move { (pacer.turn(deadline).await.map_err(|late| late.wait.as_secs()), began.elapsed().as_secs()) }
    };
    let hold = async { pacer.hold(Duration::from_secs(50)) };
    let ((hurried, patient), ()) = join(join(wait(40), wait(200)), hold).await;
    assert_eq!((hurried, patient), ((Err(110), 0), (Ok(()), 50)));
}

#[tokio::test(start_paused = true)]
async fn zero_does_not_pace_but_a_hold_holds() {
    let pacer = Pacer::new(0);
    for _ in 0..1000 {
        assert_eq!(pacer.turn(after(10)).await, Ok(()));
    }
    pacer.hold(Duration::from_secs(4));
    let began = Instant::now();
    assert_eq!(pacer.turn(after(10)).await, Ok(()));
    assert_eq!(began.elapsed().as_secs(), 4);
}
