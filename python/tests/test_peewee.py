"""Peewee."""

import peewee
import pytest
from peewee import IntegerField, Model, PostgresqlDatabase

from iscc_usearch_pg.peewee import BitvecField

QUERY = b"\xfc\xbd"


class Image(Model):
    id = IntegerField(primary_key=True)
    phash = BitvecField(64, null=True, index=True, index_type="usearch")


@pytest.fixture
def model(connection):
    database = PostgresqlDatabase(connection.info.dbname)
    with database.bind_ctx([Image]), database.connection_context():
        database.create_tables([Image])
        rows = [(1, QUERY), (2, "\\xfcbd04c3"), (3, b"\xfc\xbf"), (4, b"\x03\x42"), (5, None)]
        Image.insert_many(rows, [Image.id, Image.phash]).execute()
        yield Image
    database.close()


def test_values(model):
    assert model.get_by_id(2).phash == b"\xfc\xbd\x04\xc3"
    assert model.get_by_id(5).phash is None
    assert model.get(model.phash == b"\x03\x42").id == 4
    assert [row.id for row in model.select().where(model.phash.in_([QUERY, b"\x03\x42"])).order_by(model.id)] == [1, 4]
    with pytest.raises(peewee.DataError, match="too long"):
        model.create(id=6, phash=bytes(9))


def test_distances(model):
    for distance in (
        model.phash.nphd_distance(QUERY),
        model.phash.prefix_hamming_distance(QUERY),
        model.phash.jaccard_distance(QUERY),
        model.phash.sorensen_distance(QUERY),
    ):
        assert [row.id for row in model.select().order_by(distance, model.id).limit(3)] == [1, 2, 3]
    row = (
        model.select(
            model.phash.nphd_distance(b"\x03\x42"),
            model.phash.hamming_distance(b"\x03\x42"),
            model.phash.jaccard_distance(b"\xfc\xbf"),
            model.phash.sorensen_distance(b"\xfc\xbf"),
        )
        .where(model.id == 1)
        .tuples()
        .get()
    )
    assert row == (1.0, 16, pytest.approx(1 / 13), pytest.approx(1 / 25))


def test_within(model):
    assert sorted(row.id for row in model.select().where(model.phash.nphd_within(QUERY, 0.1))) == [1, 2, 3]
    assert sorted(row.id for row in model.select().where(model.phash.hamming_within(QUERY, 1))) == [1, 3]
    assert sorted(row.id for row in model.select().where(model.phash.nphd_within(QUERY + bytes(30), 0))) == [1]
    other = model.alias()
    pairs = model.select(model.id, other.id).join(
        other, on=(model.phash.nphd_within(other.phash, 0.1) & (model.id < other.id))
    )
    assert sorted(pairs.tuples()) == [(1, 2), (1, 3), (2, 3)]


def test_the_index_is_used(model, connection):
    name, method = connection.execute(
        """SELECT i.relname, amname FROM pg_class i JOIN pg_am ON relam = pg_am.oid
            WHERE relkind = 'i' AND amname = 'usearch'"""
    ).fetchone()
    assert (name, method) == ("image_phash", "usearch")
    sql, parameters = model.select().order_by(model.phash.nphd_distance(QUERY)).limit(3).sql()
    database = model._meta.database
    database.execute_sql("SET enable_seqscan = off")
    assert name in str(database.execute_sql(f"EXPLAIN {sql}", parameters).fetchall())
