//! What is recorded is there after reopening, within the bounds.

use super::*;

#[test]
fn what_was_recorded_is_there_after_reopening() {
    let folder = Folder::new();
    let (a, b) = (model("v/a:free"), model("v/b:free"));
    let block = AccountBlock { until_ms: NOW + 1, kind: FailureKind::RateLimitedDay };
    let Opened { store, healths, account, .. } = folder.open_well();
    assert_eq!((healths, account), (HashMap::new(), None));
    let mut busy = resting();
    busy.in_flight = 4;
    store.record_failure(&a, &failure(), NOW, &busy);
    store.record_success(&b, &resting());
    store.record_success(&b, &healthy());
    store.record_account(Some(block));
    assert!(store.close(LIMIT));

    let Opened { store, healths, account, .. } = folder.open_well();
    assert_eq!(healths, HashMap::from([(a, resting()), (b, healthy())]));
    assert_eq!(account, Some(block));
    store.record_account(None);
    drop(store);
    // The last clone is gone: the thread writes what is left, then lets go of the file.
    while folder.count("account") > 0 {
        thread::yield_now();
    }
}

#[test]
fn a_person_reads_iso_times_in_the_view() {
    let folder = Folder::new();
    let store = folder.open_well().store;
    store.record_failure(&model("v/a:free"), &failure(), NOW, &resting());
    store.record_failure(&model("v/b"), &Failure::new(FailureKind::Connect, "refused"), NOW + 877, &healthy());
    flush(&store);
    let sql = folder.sql();
    let mut statement = sql.prepare("SELECT * FROM recent_failures").unwrap();
    let rows = statement
        .query_map([], |row| {
            Ok(format!(
                "{} {} {} {:?} {} {:?}",
                row.get::<_, String>(0)?,
                row.get::<_, String>(1)?,
                row.get::<_, String>(2)?,
                row.get::<_, Option<u16>>(3)?,
                row.get::<_, String>(4)?,
                row.get::<_, Option<f64>>(5)?
            ))
        })
        .unwrap();
    assert_eq!(
        rows.map(Result::unwrap).collect::<Vec<_>>(),
        [
            "2027-01-15T08:00:01.000Z v/b connect None refused None",
            "2027-01-15T08:00:00.123Z v/a:free rate-limited-model Some(429) try later Some(7.5)",
        ]
    );
}

#[test]
fn senseless_figures_are_kept_within_bounds() {
    let folder = Folder::new();
    let store = folder.open_well().store;
    let mut odd = Health::default();
    odd.rests_until = Some(u64::MAX);
    odd.first_token_ms = f32::NAN;
    odd.tokens_per_second = f32::INFINITY;
    let failure = Failure { retry_after: Some(Duration::MAX), ..failure() };
    store.record_failure(&model("v/a"), &failure, u64::MAX, &odd);
    assert!(store.close(LIMIT));
    let mut kept = Health::default();
    kept.rests_until = Some(i64::MAX.unsigned_abs());
    assert_eq!(folder.open_well().healths, HashMap::from([(model("v/a"), kept)]));
}

#[test]
fn a_kind_of_another_version_leaves_the_rest_of_the_row() {
    let folder = Folder::new();
    let store = folder.open_well().store;
    store.record_success(&model("v/a"), &resting());
    store.record_account(Some(AccountBlock { until_ms: NOW, kind: FailureKind::RateLimitedDay }));
    assert!(store.close(LIMIT));
    folder.sql().execute_batch("UPDATE models SET last_failure_kind = 'x'; UPDATE account SET kind = 'x'").unwrap();
    let opened = folder.open_well();
    let mut kept = resting();
    kept.last_failure = None;
    assert_eq!(opened.healths, HashMap::from([(model("v/a"), kept)]));
    assert_eq!(opened.account, None);
}

#[test]
fn forgetting_a_model_or_all_keeps_what_comes_after_it() {
    let folder = Folder::new();
    let (a, b) = (model("v/a"), model("v/b"));
    let store = folder.open_well().store;
    store.record_failure(&a, &failure(), NOW, &resting());
    store.record_failure(&b, &failure(), NOW, &resting());
    store.forget(Some(&a));
    flush(&store);
    assert_eq!((folder.count("failures"), folder.count("models")), (1, 1));
    store.forget(None);
    store.record_success(&a, &healthy());
    assert!(store.close(LIMIT));
    assert_eq!(folder.count("failures"), 0);
    assert_eq!(folder.open_well().healths, HashMap::from([(a, healthy())]));
}

#[test]
fn ten_thousand_failures_from_eight_threads_are_all_there_after_a_flush() {
    let folder = Folder::new();
    let store = folder.open_well().store;
    thread::scope(|scope| {
        for thread in 0..8 {
            let store = store.clone();
            scope.spawn(move || {
                for n in 0..1250 {
                    store.record_failure(&model(&format!("v/{thread}")), &failure(), NOW + n, &resting());
                    // Eight times this many fit into the queue.
                    if n % 500 == 499 {
                        flush(&store);
                    }
                }
            });
        }
    });
    flush(&store);
    assert_eq!(store.dropped(), 0);
    assert_eq!((folder.count("failures"), folder.count("models")), (10_000, 8));
}

#[test]
fn only_the_newest_failures_and_models_are_kept() {
    let folder = Folder::new();
    drop(folder.open_well());
    folder
        .sql()
        .execute_batch(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 12000)
             INSERT INTO failures (model, kind, message, at_ms) SELECT 'v/' || i, 'empty', '', i FROM n;
             INSERT INTO models (model, failures_in_a_row, last_success_at_ms, first_token_ms, tokens_per_second)
                SELECT model, 0, at_ms, 0, 0 FROM failures",
        )
        .unwrap();
    let opened = folder.open_well();
    let oldest = |table: &str| -> String {
        let column = if table == "failures" { "at_ms" } else { "last_success_at_ms" };
        let query = format!("SELECT model FROM {table} ORDER BY {column} LIMIT 1");
        folder.sql().query_row(&query, [], |row| row.get(0)).unwrap()
    };
    assert_eq!((folder.count("failures"), oldest("failures")), (10_000, "v/2001".to_owned()));
    assert_eq!((folder.count("models"), oldest("models")), (4_000, "v/8001".to_owned()));
    for _ in 0..1000 {
        opened.store.record_failure(&model("v/new"), &failure(), NOW, &resting());
    }
    flush(&opened.store);
    assert_eq!((folder.count("failures"), oldest("failures")), (10_000, "v/3001".to_owned()));
}

#[test]
fn what_a_killed_process_left_in_the_log_is_read() {
    let (folder, copy) = (Folder::new(), Folder::new());
    let store = folder.open_well().store;
    store.record_success(&model("v/a"), &resting());
    flush(&store);
    for name in ["failures.db", "failures.db-wal", "failures.db-shm"] {
        fs::copy(folder.0.path().join(name), copy.0.path().join(name)).unwrap();
    }
    assert_eq!(copy.open_well().healths, HashMap::from([(model("v/a"), resting())]));
}

#[test]
fn a_database_of_an_older_version_is_brought_up_to_date_and_keeps_what_it_knows() {
    let folder = Folder::new();
    let Opened { store, .. } = folder.open_well();
    store.record_success(&model("v/a:free"), &resting());
    assert!(store.close(LIMIT));
    folder
        .sql()
        .execute_batch(
            "ALTER TABLE models DROP COLUMN learned; ALTER TABLE models DROP COLUMN counts; PRAGMA user_version = 1",
        )
        .unwrap();
    let mut known = resting();
    known.lessons = Lessons::default();
    known.tally = Tally::default();
    assert_eq!(folder.open_well().healths, HashMap::from([(model("v/a:free"), known)]));
}
