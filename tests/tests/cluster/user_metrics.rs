//! Distances by functions of somebody else's: with whose rights they are called, and what happens when they fail.

use cluster_tests::search::{assert_same_distances, assert_sound, each, hits, truth_client, use_index, value};
use cluster_tests::{Cluster, wait_until};
use postgres::Client;

/// A table of alice, who is no superuser, with a function that tells as whom it is called, and with which search path,
/// for one row of many; before that it does what the table `orders` says, if anything.
const ALICE: &str = "
    CREATE ROLE alice LOGIN;
    CREATE SCHEMA alice AUTHORIZATION alice;
    CREATE TABLE secrets (secret int);
    SET ROLE alice;
    CREATE TABLE alice.orders (sql text);
    CREATE FUNCTION alice.obey() RETURNS void LANGUAGE plpgsql VOLATILE AS $$
    DECLARE command text;
    BEGIN
        FOR command IN SELECT sql FROM alice.orders LOOP
            EXECUTE command;
        END LOOP;
    END $$;
    CREATE FUNCTION alice.spy(a int, b int) RETURNS float8 LANGUAGE plpgsql IMMUTABLE STRICT AS $$
    BEGIN
        IF a = 1 THEN
            RAISE LOG 'spied: % in %', current_user, current_setting('search_path');
            PERFORM alice.obey();
        END IF;
        RETURN abs(a - b);
    END $$;
    CREATE OPERATOR alice.<@@> (LEFTARG = int, RIGHTARG = int, FUNCTION = alice.spy, COMMUTATOR = OPERATOR(alice.<@@>));
    CREATE TABLE alice.t (id int);
    INSERT INTO alice.t SELECT generate_series(1, 600);
    RESET ROLE;
    CREATE OPERATOR CLASS alice.spied_ops FOR TYPE int USING usearch AS
        OPERATOR 1 alice.<@@> (int, int) FOR ORDER BY float_ops, FUNCTION 1 alice.spy(int, int)";

/// What it tells when it is called with its owner's rights and finds nothing that anybody else can have put there.
const SAFE: &str = "alice in pg_catalog, pg_temp";

/// Runs statements that may have semicolons inside.
fn whole(client: &mut Client, statements: &str) {
    client
        .batch_execute(statements)
        .unwrap_or_else(|error| panic!("{error:?}"));
}

/// What the function has told since it was asked last.
struct Spy {
    lines: usize,
}

impl Spy {
    fn told(&mut self, cluster: &Cluster) -> Vec<String> {
        let log = cluster.log();
        let all: Vec<&str> = log
            .lines()
            .filter_map(|line| Some(line.split_once("spied: ")?.1))
            .collect();
        let new = all[self.lines..].iter().map(|line| line.to_string()).collect();
        self.lines = all.len();
        new
    }

    /// Panics unless the function was called, each time as alice and with a safe search path.
    fn assert_called_by_alice(&mut self, cluster: &Cluster, when: &str) {
        let told = self.told(cluster);
        assert!(!told.is_empty(), "{when}: not called");
        let is_safe = |line: &String| line == SAFE;
        assert!(
            told.iter().all(is_safe),
            "{when}: {:?}",
            told.iter().find(|line| !is_safe(line))
        );
    }
}

/// Whoever maintains an index, its function has the rights of the table's owner only.
#[test]
fn called_as_the_owner() {
    let mut cluster = Cluster::with(&[("iscc_usearch.background_worker", "off")]);
    let mut client = cluster.client();
    whole(&mut client, ALICE);
    let mut spy = Spy { lines: 0 };
    for (index, statements) in [
        "CREATE INDEX t_id ON alice.t USING usearch (id alice.spied_ops)",
        "REINDEX INDEX alice.t_id",
        "REINDEX INDEX CONCURRENTLY alice.t_id",
        "INSERT INTO alice.t SELECT generate_series(1, 100); SELECT usearch_seal('alice.t_id')",
        "SELECT * FROM usearch_compact('alice.t_id')",
        "SELECT * FROM usearch_recall('alice.t_id', 5, 700)",
        "INSERT INTO alice.t SELECT 1 + i % 5000 FROM generate_series(1, 20000) i; VACUUM alice.t",
        "CREATE INDEX CONCURRENTLY other ON alice.t USING usearch (id alice.spied_ops) WHERE id < 300",
    ]
    .into_iter()
    .enumerate()
    {
        each(&mut client, statements);
        spy.assert_called_by_alice(&cluster, &format!("{index}: {statements}"));
    }
    assert_sound(&mut client, "alice.t_id");
    // An insert calls nothing; a query calls it as whoever asks, as the operator does.
    each(&mut client, "INSERT INTO alice.t VALUES (1)");
    assert_eq!(spy.told(&cluster), Vec::<String>::new());
    use_index(&mut client, "auto");
    each(
        &mut client,
        "SELECT id FROM alice.t ORDER BY id OPERATOR(alice.<@@>) 1 LIMIT 3",
    );
    assert!(spy.told(&cluster).iter().all(|line| line.starts_with("postgres in ")));

    cluster.set("iscc_usearch.background_worker", "on");
    cluster.restart();
    let mut client = cluster.client();
    let lost = cluster.shard_files();
    lost.iter().for_each(|file| std::fs::remove_file(file).expect("remove"));
    use_index(&mut client, "auto");
    spy.told(&cluster);
    // A query finds that a file is missing and asks for the worker.
    each(
        &mut client,
        "SELECT id FROM alice.t ORDER BY id OPERATOR(alice.<@@>) 4999 LIMIT 3",
    );
    spy.told(&cluster);
    wait_until("the worker has built them", || {
        value::<i64>(
            &mut client,
            "SELECT count(*) FROM usearch_shards('alice.t_id') WHERE state <> 'ok'",
        ) == 0
    });
    let told = spy.told(&cluster);
    let (by_worker, by_query): (Vec<String>, Vec<String>) = told.into_iter().partition(|line| line == SAFE);
    assert!(!by_worker.is_empty());
    let is_session = |line: &String| line == "postgres in \"$user\", public";
    assert!(by_query.iter().all(is_session), "{by_query:?}");
    cluster.assert_no_crash();
}

/// What a function must not do while a superuser maintains the index of its author.
#[test]
fn has_no_other_rights() {
    let cluster = Cluster::with(&[("iscc_usearch.background_worker", "off")]);
    let mut client = cluster.client();
    whole(&mut client, ALICE);
    each(
        &mut client,
        "CREATE INDEX t_id ON alice.t USING usearch (id alice.spied_ops)",
    );
    for order in [
        "ALTER ROLE alice SUPERUSER",
        "INSERT INTO public.secrets VALUES (1)",
        "SELECT pg_read_file('PG_VERSION')",
        "SET ROLE postgres",
        "RESET ROLE",
        "SET SESSION AUTHORIZATION postgres",
        "RESET SESSION AUTHORIZATION",
        "CREATE TEMP TABLE mine (i int)",
        "COPY alice.t TO PROGRAM 'cat'",
        "DECLARE c CURSOR WITH HOLD FOR SELECT 1",
    ] {
        client
            .execute("INSERT INTO alice.orders VALUES ($1)", &[&order])
            .expect("order");
        each(&mut client, "INSERT INTO alice.t SELECT generate_series(1, 50)");
        for statement in ["SELECT usearch_seal('alice.t_id')", "REINDEX INDEX alice.t_id"] {
            let error = client.batch_execute(statement).expect_err(order);
            let code = error.code().expect("SQLSTATE").code().to_string();
            assert_eq!(code, "42501", "{statement}, {order}: {error:?}");
        }
        each(&mut client, "TRUNCATE alice.orders");
        assert_eq!(value::<String>(&mut client, "SELECT current_user::text"), "postgres");
        assert!(!value::<bool>(
            &mut client,
            "SELECT rolsuper FROM pg_roles WHERE rolname = 'alice'"
        ));
        assert_eq!(value::<i64>(&mut client, "SELECT count(*) FROM secrets"), 0);
    }
    // Settings that it changes are set back.
    let before: String = value(&mut client, "SELECT current_setting('work_mem')");
    whole(
        &mut client,
        "INSERT INTO alice.orders VALUES ('SET work_mem = ''77MB''; SET search_path = alice');
         INSERT INTO alice.t SELECT generate_series(1, 50); SELECT usearch_seal('alice.t_id')",
    );
    assert_eq!(
        value::<String>(&mut client, "SELECT current_setting('work_mem')"),
        before
    );
    assert!(!value::<String>(&mut client, "SELECT current_setting('search_path')").contains("alice"));
    cluster.assert_no_crash();
}

/// Functions and operators that somebody has put into the session's search path are not called by maintenance.
#[test]
fn shadows_are_not_seen() {
    let cluster = Cluster::with(&[("iscc_usearch.background_worker", "off")]);
    let mut client = cluster.client();
    whole(&mut client, ALICE);
    each(
        &mut client,
        "CREATE SCHEMA mallory;
         CREATE FUNCTION mallory.abs(int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT 1 / 0';
         SET search_path = mallory, pg_catalog;
         CREATE INDEX t_id ON alice.t USING usearch (id alice.spied_ops);
         INSERT INTO alice.t SELECT generate_series(1, 50);
         SELECT public.usearch_seal('alice.t_id');
         SELECT * FROM public.usearch_recall('alice.t_id', 5, 10);
         INSERT INTO alice.t SELECT generate_series(1, 20000); VACUUM alice.t",
    );
    cluster.assert_no_crash();
}

/// A table whose function fails while a flag is set, and its index.
const FRAGILE: &str = "
    CREATE TABLE flags (fails boolean);
    INSERT INTO flags VALUES (true);
    CREATE FUNCTION fragile(a int, b int) RETURNS float8 LANGUAGE plpgsql IMMUTABLE STRICT AS $$
    BEGIN
        IF a % 500 = 1 AND (SELECT fails FROM public.flags) THEN
            RAISE EXCEPTION 'glass is broken';
        END IF;
        RETURN abs(a - b);
    END $$;
    CREATE OPERATOR <@@> (LEFTARG = int, RIGHTARG = int, FUNCTION = fragile, COMMUTATOR = <@@>);
    CREATE OPERATOR CLASS fragile_ops FOR TYPE int USING usearch AS
        OPERATOR 1 <@@> (int, int) FOR ORDER BY float_ops, FUNCTION 1 fragile(int, int);
    CREATE TABLE t (id bigint, n int);
    CREATE INDEX t_n ON t USING usearch (n fragile_ops)";

/// How often the worker tries in vain.
const TRIES: usize = 5;

fn warnings(cluster: &Cluster) -> usize {
    let text = "WARNING:  distance function of index \"t_n\" failed: glass is broken";
    cluster.log().lines().filter(|line| line.contains(text)).count()
}

fn states(client: &mut Client) -> String {
    value(
        client,
        "SELECT coalesce(string_agg(DISTINCT state, ' '), 'none') FROM usearch_shards('t_n')",
    )
}

fn assert_right(cluster: &Cluster, client: &mut Client) {
    each(client, "UPDATE flags SET fails = false");
    let sql = "SELECT id, n <@@> 77 FROM t ORDER BY n <@@> 77 LIMIT 50";
    let sorted = hits(&mut truth_client(cluster), sql);
    use_index(client, "auto");
    assert_same_distances(&hits(client, sql), &sorted);
}

/// The worker warns once and leaves the rows to the exact scan, until VACUUM.
#[test]
fn the_worker_survives_a_function_that_fails() {
    let cluster = Cluster::with(&[("iscc_usearch.background_worker", "on")]);
    let mut client = cluster.client();
    whole(&mut client, FRAGILE);
    each(
        &mut client,
        "INSERT INTO t SELECT i, i FROM generate_series(1, 10000) i",
    );
    wait_until("the worker has tried", || states(&mut client) == "refused");
    assert_eq!(warnings(&cluster), 1);
    assert_right(&cluster, &mut client);
    assert_sound(&mut client, "t_n");

    // Other work does not make it try again.
    each(
        &mut client,
        "CREATE TABLE u (n int); CREATE INDEX u_n ON u USING usearch (n fragile_ops);
         INSERT INTO u SELECT generate_series(1, 10000)",
    );
    wait_until("the worker has done other work", || {
        value::<i64>(
            &mut client,
            "SELECT count(*) FROM usearch_shards('u_n') WHERE state = 'ok'",
        ) > 0
    });
    assert_eq!((warnings(&cluster), states(&mut client)), (1, "refused".to_string()));

    // VACUUM has it tried once more, also by a worker that has just tried and is about to end.
    each(&mut client, "UPDATE flags SET fails = true");
    for attempt in 2..=TRIES {
        each(&mut client, "VACUUM t");
        wait_until("the worker has tried again", || warnings(&cluster) == attempt);
    }
    each(&mut client, "UPDATE flags SET fails = false; VACUUM t");
    wait_until("the worker has built it", || states(&mut client) == "ok");
    assert_right(&cluster, &mut client);
    assert_sound(&mut client, "t_n");
    assert_eq!(warnings(&cluster), TRIES);
    cluster.assert_no_crash();
}

/// Where there is no worker, VACUUM warns, too, and does the rest of its work; a statement that is to build fails.
#[test]
fn vacuum_survives_a_function_that_fails() {
    let cluster = Cluster::with(&[("iscc_usearch.background_worker", "off")]);
    let mut client = cluster.client();
    whole(&mut client, FRAGILE);
    each(
        &mut client,
        "INSERT INTO t SELECT i, i FROM generate_series(1, 10000) i; DELETE FROM t WHERE id % 3 = 0; VACUUM t",
    );
    assert_eq!((warnings(&cluster), states(&mut client)), (1, "refused".to_string()));
    assert_sound(&mut client, "t_n");
    let error = client.batch_execute("SELECT usearch_seal('t_n')").expect_err("seal");
    assert_eq!(error.as_db_error().expect("an error").message(), "glass is broken");
    assert_right(&cluster, &mut client);
    each(&mut client, "SELECT usearch_seal('t_n')");
    assert_eq!(states(&mut client), "ok");
    assert_right(&cluster, &mut client);
    // With processes beside it, it cannot survive a failure, so it does not try.
    each(
        &mut client,
        "CREATE INDEX t_other ON t (id); CREATE INDEX t_third ON t (n); SET min_parallel_index_scan_size = 0;
         INSERT INTO t SELECT 20000 + i, i FROM generate_series(1, 10000) i; UPDATE flags SET fails = true;
         DELETE FROM t WHERE id % 7 = 0; VACUUM (PARALLEL 2) t",
    );
    assert_right(&cluster, &mut client);
    assert_sound(&mut client, "t_n");
    cluster.assert_no_crash();
}

/// A value that has changed in a file or on a page is never given to the function.
#[test]
fn damaged_values_are_not_compared() {
    let mut cluster = Cluster::with(&[
        ("iscc_usearch.background_worker", "off"),
        ("ignore_checksum_failure", "on"),
    ]);
    let mut client = cluster.client();
    whole(
        &mut client,
        "CREATE FUNCTION strict_distance(a text, b text) RETURNS float8 LANGUAGE plpgsql IMMUTABLE STRICT AS $$
         BEGIN
            IF a !~ '^row [0-9]+ of many$' THEN RAISE EXCEPTION 'called with %', a; END IF;
            RETURN abs(length(a) - length(b));
         END $$;
         CREATE OPERATOR <@@> (LEFTARG = text, RIGHTARG = text, FUNCTION = strict_distance, COMMUTATOR = <@@>);
         CREATE OPERATOR CLASS strict_ops FOR TYPE text USING usearch AS
            OPERATOR 1 <@@> (text, text) FOR ORDER BY float_ops, FUNCTION 1 strict_distance(text, text);
         CREATE TABLE t (id bigint, v text);
         INSERT INTO t SELECT i, 'row ' || i || ' of many' FROM generate_series(1, 1500) i;
         CREATE INDEX t_v ON t USING usearch (v strict_ops)",
    );
    each(&mut client, "CHECKPOINT");
    let change = |file: &std::path::Path| {
        let mut bytes = std::fs::read(file).expect("read");
        let text = b" of many";
        let found: Vec<usize> = (0..bytes.len() - text.len())
            .filter(|&at| bytes[at..].starts_with(text))
            .collect();
        assert!(found.len() >= 1500, "{}", found.len());
        found.iter().for_each(|&at| bytes[at + 3] = b'x');
        std::fs::write(file, bytes).expect("write");
    };
    let sql = "SELECT id, v <@@> 'row 77 of many' FROM t ORDER BY v <@@> 'row 77 of many' LIMIT 20";
    let sorted = hits(&mut truth_client(&cluster), sql);
    let path: String = value(&mut client, "SELECT pg_relation_filepath('t_v')");
    cluster.stop(cluster_tests::Shutdown::Fast);
    cluster.shard_files().iter().for_each(|file| change(file));
    cluster.start_server();
    let mut client = cluster.client();
    use_index(&mut client, "auto");
    assert_same_distances(&hits(&mut client, sql), &sorted);
    assert!(cluster.log().contains("it contradicts the log"));

    drop(client);
    cluster.stop(cluster_tests::Shutdown::Fast);
    change(&cluster.data_dir().join(path));
    cluster.start_server();
    let mut client = cluster.client();
    use_index(&mut client, "exact");
    let error = client.query(sql, &[]).expect_err("damage");
    assert_eq!(error.code().expect("SQLSTATE").code(), "XX002", "{error:?}");
    let problems: i64 = value(
        &mut client,
        "SELECT count(*) FROM usearch_check('t_v') WHERE problem LIKE '%does not match its checksum'",
    );
    assert!(problems >= 1500);
    each(&mut client, "REINDEX INDEX t_v");
    assert_sound(&mut client, "t_v");
    cluster.assert_no_crash();
}

/// The SQL of the how-to, block by block, as a user who reads it would run it.
#[test]
fn documented_examples_work() {
    let cluster = Cluster::start();
    let mut client = cluster.client();
    let page = include_str!("../../../docs/custom-metrics.md");
    let blocks: Vec<&str> = page
        .split("```sql\n")
        .skip(1)
        .map(|block| block.split_once("```").expect("the end of a block").0)
        .collect();
    assert_eq!(blocks.len(), 4);
    let mut answers = Vec::new();
    for block in blocks {
        let needed = block
            .split_once("CREATE EXTENSION IF NOT EXISTS ")
            .and_then(|(_, rest)| rest.split_once(';'))
            .map_or("iscc_usearch", |(name, _)| name);
        let sql = format!("SELECT count(*) FROM pg_available_extensions WHERE name = '{needed}'");
        if value::<i64>(&mut client, &sql) == 0 {
            continue;
        }
        use_index(&mut client, "auto");
        let messages = client
            .simple_query(block)
            .unwrap_or_else(|error| panic!("{block}: {error:?}"));
        let first = messages.iter().find_map(|message| match message {
            postgres::SimpleQueryMessage::Row(row) => row.get(0).map(str::to_string),
            _ => None,
        });
        answers.push(first.expect("a row"));
    }
    let is_nearest = |answer: &String| {
        ["Suva", "Apia", "word 17", "red", "5"]
            .iter()
            .any(|near| answer.starts_with(near))
    };
    assert!(answers.len() >= 2 && answers.iter().all(is_nearest), "{answers:?}");
    cluster.assert_no_crash();
}

/// At default settings, searches for words by their edit distance find nearly all neighbours.
#[test]
fn recall_of_words() {
    let cluster = Cluster::start();
    let mut client = cluster.client();
    let has_levenshtein: i64 = value(
        &mut client,
        "SELECT count(*) FROM pg_available_extensions WHERE name = 'fuzzystrmatch'",
    );
    // Without it, a function that is as cheap and has as many ties.
    let distance = match has_levenshtein {
        0 => "abs(length(a) - length(b)) + abs(ascii(a) - ascii(b)) + abs(ascii(reverse(a)) - ascii(reverse(b)))",
        _ => "public.levenshtein(a, b)",
    };
    if has_levenshtein > 0 {
        each(&mut client, "CREATE EXTENSION fuzzystrmatch");
    }
    whole(
        &mut client,
        &format!(
            "CREATE FUNCTION edits(a text, b text) RETURNS float8 LANGUAGE plpgsql IMMUTABLE STRICT AS
                'BEGIN RETURN {distance}; END';
             CREATE OPERATOR <@@> (LEFTARG = text, RIGHTARG = text, FUNCTION = edits, COMMUTATOR = <@@>);
             CREATE OPERATOR CLASS edit_ops FOR TYPE text USING usearch AS
                OPERATOR 1 <@@> (text, text) FOR ORDER BY float_ops, FUNCTION 1 edits(text, text);
             CREATE TABLE t (word text);
             INSERT INTO t SELECT substr(md5((i / 7)::text), 1, 6 + i % 9) || substr(md5(i || 'x'), 1, i % 5)
               FROM generate_series(1, 3000) i;
             CREATE INDEX t_word ON t USING usearch (word edit_ops)"
        ),
    );
    let recall: f64 = value(&mut client, "SELECT recall FROM usearch_recall('t_word', 10, 100)");
    assert!(recall >= 0.98, "{recall}");
    // Words that are not in the table.
    let (mut found, mut truth) = (cluster.client(), truth_client(&cluster));
    use_index(&mut found, "auto");
    let mut sum = 0.0;
    for number in 0..40 {
        let word = format!("(SELECT substr(md5('query {number}'), 1, {}))", 4 + number % 9);
        let sql = format!("SELECT 0::bigint, word <@@> {word} AS d FROM t ORDER BY word <@@> {word} LIMIT 10");
        let (near, nearest) = (hits(&mut found, &sql), hits(&mut truth, &sql));
        let farthest = nearest[9].1;
        sum += near.iter().filter(|hit| hit.1 <= farthest).count() as f64 / 10.0;
    }
    assert!(sum / 40.0 >= 0.98, "{}", sum / 40.0);
}
