//! sqlx on a server.

use iscc_usearch_client::Bitvec;
use sqlx::{Connection, Executor, PgConnection, Row};

async fn connect() -> PgConnection {
    let url = std::env::var("DATABASE_URL").expect("DATABASE_URL");
    let mut connection = PgConnection::connect(&url).await.expect("a server");
    connection
        .execute("CREATE TEMP TABLE image (id int, phash bitvec(64))")
        .await
        .expect("CREATE TABLE");
    connection
}

#[derive(sqlx::FromRow, Debug, PartialEq)]
struct Image {
    id: i32,
    phash: Option<Bitvec>,
}

#[tokio::test]
async fn parameters_results_and_arrays() {
    let mut connection = connect().await;
    let images = [
        Image {
            id: 1,
            phash: Some(Bitvec::from([0xfc, 0xbd])),
        },
        Image { id: 2, phash: None },
    ];
    for image in &images {
        sqlx::query("INSERT INTO image VALUES ($1, $2)")
            .bind(image.id)
            .bind(&image.phash)
            .execute(&mut connection)
            .await
            .expect("INSERT");
    }
    let stored: Vec<Image> = sqlx::query_as("SELECT * FROM image ORDER BY id")
        .fetch_all(&mut connection)
        .await
        .expect("rows");
    assert_eq!(stored, images);
    for condition in ["phash = $1", "nphd_within(phash, $1, 0)", "phash <~> $1 < 0.1"] {
        let sql = format!("SELECT id FROM image WHERE {condition}");
        let id: i32 = sqlx::query_scalar(&sql)
            .bind(Bitvec::from([0xfc, 0xbd]))
            .fetch_one(&mut connection)
            .await
            .expect(&sql);
        assert_eq!(id, 1);
    }
    let codes = vec![Bitvec::from([0xfc, 0xbd]), Bitvec::from([0])];
    let found: Vec<i32> = sqlx::query_scalar("SELECT id FROM image WHERE phash = ANY ($1)")
        .bind(&codes)
        .fetch_all(&mut connection)
        .await
        .expect("ANY");
    assert_eq!(found, [1]);
    let all: Vec<Option<Bitvec>> = sqlx::query_scalar("SELECT array_agg(phash ORDER BY id) FROM image")
        .fetch_one(&mut connection)
        .await
        .expect("an array");
    assert_eq!(all, [Some(Bitvec::from([0xfc, 0xbd])), None]);
}

/// A statement without parameters, sent by the simple protocol, returns text.
#[tokio::test]
async fn text_results() {
    let mut connection = connect().await;
    let row = connection.fetch_one("SELECT '\\xff80'::bitvec").await.expect("a row");
    assert_eq!(row.get::<Bitvec, _>(0), Bitvec::from([0xff, 0x80]));
    let row = sqlx::raw_sql("SELECT '\\xff80'::bitvec")
        .fetch_one(&mut connection)
        .await
        .expect("a row");
    assert_eq!(row.get::<Bitvec, _>(0), Bitvec::from([0xff, 0x80]));
}

/// What the table in docs/clients.md says.
#[tokio::test]
async fn without_this_crate() {
    let mut connection = connect().await;
    let bytes = vec![0xfc_u8, 0xbd];
    let insert = sqlx::query("INSERT INTO image VALUES (1, $1)").bind(&bytes);
    insert.execute(&mut connection).await.expect("bytes");
    let insert = sqlx::query("INSERT INTO image VALUES (2, $1)").bind("\\xfcbd");
    assert!(insert.execute(&mut connection).await.is_err());
    let insert = sqlx::query("INSERT INTO image VALUES (2, $1::bitvec)").bind("\\xfcbd");
    insert.execute(&mut connection).await.expect("text");
    let row = sqlx::query("SELECT phash, phash::bytea FROM image WHERE phash <~> $1 < 0.1")
        .bind(&bytes)
        .fetch_one(&mut connection)
        .await
        .expect("a row");
    assert!(row.try_get::<Vec<u8>, _>(0).is_err());
    assert_eq!(row.get::<Vec<u8>, _>(1), bytes);
}
