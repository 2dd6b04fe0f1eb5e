//! Diesel on a server.

use diesel::prelude::*;
use diesel::sql_query;
use iscc_usearch_client::Bitvec;
use iscc_usearch_client::diesel::{BitvecExpressionMethods, hamming_distance, hamming_within, nphd_within};

diesel::table! {
    use diesel::sql_types::*;
    use iscc_usearch_client::diesel::sql_types::*;

    image (id) {
        id -> Integer,
        phash -> Nullable<Bitvec>,
        required -> Bitvec,
        all -> Array<Bitvec>,
    }
}

#[derive(Queryable, Insertable, Debug, PartialEq, Clone)]
#[diesel(table_name = image)]
struct Image {
    id: i32,
    phash: Option<Bitvec>,
    required: Bitvec,
    all: Vec<Bitvec>,
}

fn connect() -> (PgConnection, Vec<Image>) {
    let url = std::env::var("DATABASE_URL").expect("DATABASE_URL");
    let mut connection = PgConnection::establish(&url).expect("a server");
    sql_query("CREATE TEMP TABLE image (id int PRIMARY KEY, phash bitvec(64), required bitvec, \"all\" bitvec[])")
        .execute(&mut connection)
        .expect("CREATE TABLE");
    let codes = [
        &[0xfc, 0xbd][..],
        &[0xfc, 0xbd, 0x04, 0xc3],
        &[0xfc, 0xbf],
        &[0x03, 0x42],
    ];
    let mut images: Vec<Image> = (1..)
        .zip(codes)
        .map(|(id, code)| {
            let code = Bitvec::from(code);
            Image {
                id,
                phash: Some(code.clone()),
                required: code.clone(),
                all: vec![code.clone(), code],
            }
        })
        .collect();
    images.push(Image {
        id: 5,
        phash: None,
        required: Bitvec::from([0]),
        all: vec![],
    });
    diesel::insert_into(image::table)
        .values(&images)
        .execute(&mut connection)
        .expect("INSERT");
    (connection, images)
}

#[test]
fn values() {
    let (mut connection, images) = connect();
    assert_eq!(
        image::table
            .order(image::id)
            .load::<Image>(&mut connection)
            .expect("rows"),
        images
    );
    let found = image::table
        .select(image::id)
        .filter(image::phash.eq(Bitvec::from([0xfc, 0xbd])));
    assert_eq!(found.load::<i32>(&mut connection).expect("rows"), [1]);
    let found = image::table
        .select(image::id)
        .filter(image::required.eq_any([Bitvec::from([0x03, 0x42])]));
    assert_eq!(found.load::<i32>(&mut connection).expect("rows"), [4]);
}

#[test]
fn distances() {
    let (mut connection, _) = connect();
    let query = Bitvec::from([0xfc, 0xbd]);
    macro_rules! nearest {
        ($($distance:ident),*) => { $(
            let nearest = image::table.select(image::id).order((image::phash.$distance(&query), image::id)).limit(3);
            assert_eq!(nearest.load::<i32>(&mut connection).expect("rows"), [1, 2, 3], stringify!($distance));
        )* };
    }
    nearest!(
        nphd_distance,
        prefix_hamming_distance,
        jaccard_distance,
        sorensen_distance
    );
    let other = Bitvec::from([0xfc, 0xbf]);
    let distances = (
        image::phash.nphd_distance(&other),
        image::required.prefix_hamming_distance(&other),
        image::required.jaccard_distance(&other),
        image::required.sorensen_distance(&other),
        hamming_distance(image::required, &other),
    );
    type Row = (Option<f64>, f64, f64, f64, i32);
    let row: Row = image::table
        .find(1)
        .select(distances)
        .first(&mut connection)
        .expect("a row");
    assert_eq!(row, (Some(1. / 16.), 1., 1. / 13., 1. / 25., 1));
    let none: Option<f64> = image::table
        .find(5)
        .select(image::phash.nphd_distance(&other))
        .first(&mut connection)
        .expect("a row");
    assert_eq!(none, None);
}

#[test]
fn conditions() {
    let (mut connection, _) = connect();
    let query = Bitvec::from([0xfc, 0xbd]);
    let ids = image::table.select(image::id).order(image::id);
    let found = ids.filter(nphd_within(image::phash.assume_not_null(), &query, 0.1));
    assert_eq!(found.load::<i32>(&mut connection).expect("rows"), [1, 2, 3]);
    let found = ids.filter(hamming_within(image::required, &query, 1));
    assert_eq!(found.load::<i32>(&mut connection).expect("rows"), [1, 3]);
    let found = ids.filter(image::required.nphd_distance(&query).lt(0.05));
    assert_eq!(found.load::<i32>(&mut connection).expect("rows"), [1, 2]);
}
