//! tokio-postgres on a server.

use std::pin::pin;

use futures_util::TryStreamExt;
use iscc_usearch_client::Bitvec;
use tokio_postgres::binary_copy::{BinaryCopyInWriter, BinaryCopyOutStream};
use tokio_postgres::types::Type;
use tokio_postgres::{Client, NoTls};

async fn connect() -> Client {
    let url = std::env::var("DATABASE_URL").expect("DATABASE_URL");
    let (client, connection) = tokio_postgres::connect(&url, NoTls).await.expect("a server");
    tokio::spawn(connection);
    client
        .batch_execute("CREATE TEMP TABLE image (id int, phash bitvec(64))")
        .await
        .expect("CREATE TABLE");
    client
}

#[tokio::test]
async fn parameters_results_and_arrays() {
    let client = connect().await;
    let code = Bitvec::from([0xfc, 0xbd]);
    for (id, phash) in [(1, Some(&code)), (2, None)] {
        client
            .execute("INSERT INTO image VALUES ($1, $2)", &[&id, &phash])
            .await
            .expect("INSERT");
    }
    let row = client
        .query_one(
            "SELECT array_agg(phash ORDER BY id), min(phash), min(phash)::bytea FROM image",
            &[],
        )
        .await
        .expect("SELECT");
    assert_eq!(row.get::<_, Vec<Option<Bitvec>>>(0), [Some(code.clone()), None]);
    assert_eq!(
        (row.get::<_, Bitvec>(1), row.get::<_, Bitvec>(2)),
        (code.clone(), code.clone())
    );
    for (condition, parameter_type) in [
        ("phash = $1", "bitvec"),
        ("nphd_within(phash, $1, 0)", "bitvec"),
        ("phash = $1::bytea", "bytea"),
    ] {
        let sql = format!("SELECT id FROM image WHERE {condition}");
        let statement = client.prepare(&sql).await.expect("prepare");
        assert_eq!(statement.params()[0].name(), parameter_type);
        assert_eq!(
            client
                .query_one(&statement, &[&code])
                .await
                .expect(&sql)
                .get::<_, i32>(0),
            1
        );
    }
    let codes = [code, Bitvec::from([0])];
    let rows = client
        .query("SELECT id FROM image WHERE phash = ANY ($1)", &[&codes.as_slice()])
        .await
        .expect("ANY");
    assert_eq!(rows.len(), 1);
    let wrong = client.query("SELECT $1::text", &[&Bitvec::from([0])]).await;
    assert!(wrong.is_err(), "a code is no text");
}

#[tokio::test]
async fn binary_copy() {
    let client = connect().await;
    let bitvec = client
        .prepare("SELECT phash FROM image")
        .await
        .expect("prepare")
        .columns()[0]
        .type_()
        .clone();
    let types = [Type::INT4, bitvec];
    let sink = client
        .copy_in("COPY image FROM STDIN (FORMAT binary)")
        .await
        .expect("COPY");
    let mut writer = pin!(BinaryCopyInWriter::new(sink, &types));
    for id in 0..100 {
        let code = Bitvec::from([id as u8, 1]);
        writer.as_mut().write(&[&id, &code]).await.expect("a row");
    }
    assert_eq!(writer.finish().await.expect("COPY"), 100);
    let stream = client
        .copy_out("COPY image TO STDOUT (FORMAT binary)")
        .await
        .expect("COPY");
    let rows: Vec<_> = BinaryCopyOutStream::new(stream, &types)
        .try_collect()
        .await
        .expect("rows");
    assert_eq!(rows.len(), 100);
    for row in rows {
        assert_eq!(row.get::<Bitvec>(1), Bitvec::from([row.get::<i32>(0) as u8, 1]));
    }
}

#[tokio::test]
async fn vectors_need_no_type() {
    let client = connect().await;
    let row = client
        .query_one("SELECT '{1,0}'::real[] <-> $1", &[&vec![1_f32, 0.5]])
        .await
        .expect("SELECT");
    assert_eq!(row.get::<_, f64>(0), 0.5);
}

/// What the table in docs/clients.md says.
#[tokio::test]
async fn without_this_crate() {
    let client = connect().await;
    let bytes = vec![0xfc_u8, 0xbd];
    assert!(
        client
            .execute("INSERT INTO image VALUES (1, $1)", &[&bytes])
            .await
            .is_err()
    );
    for (parameter, value) in [
        ("$1::bytea", &bytes as &(dyn tokio_postgres::types::ToSql + Sync)),
        ("$1::text::bitvec", &"\\xfcbd"),
    ] {
        let sql = format!("INSERT INTO image VALUES (1, {parameter})");
        client.execute(&sql, &[value]).await.expect(&sql);
    }
    let row = client
        .query_one("SELECT phash, phash::bytea FROM image LIMIT 1", &[])
        .await
        .expect("a row");
    assert!(row.try_get::<_, Vec<u8>>(0).is_err());
    assert_eq!(row.get::<_, Vec<u8>>(1), bytes);
}
