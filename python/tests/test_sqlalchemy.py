"""SQLAlchemy with each driver: values, distances as expressions, reflection, plans."""

import asyncio
import warnings

import pytest
from sqlalchemy import REAL, Column, Float, Index, Integer, MetaData, Table, create_engine, select, text
from sqlalchemy.dialects import postgresql
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from iscc_usearch_pg.sqlalchemy import BITVEC

QUERY = b"\xfc\xbd"


class Base(DeclarativeBase):
    pass


class Image(Base):
    __tablename__ = "image"
    id: Mapped[int] = mapped_column(primary_key=True)
    phash: Mapped[bytes | None] = mapped_column(BITVEC(64))


@pytest.fixture(params=["psycopg", "psycopg2"])
def engine(request, images):
    engine = create_engine(f"postgresql+{request.param}://")
    yield engine
    engine.dispose()


def nearest(session, distance, count=3):
    return list(session.scalars(select(Image.id).order_by(distance, Image.id).limit(count)))


def test_values(engine):
    with Session(engine) as session:
        session.add_all([Image(id=8, phash="\\xffff"), Image(id=9, phash=None)])
        session.flush()
        session.expire_all()
        assert session.get_one(Image, 8).phash == b"\xff\xff"
        assert session.get_one(Image, 9).phash is None
        assert session.get_one(Image, 2).phash == b"\xfc\xbd\x04\xc3"
        assert session.scalars(select(Image.id).where(Image.phash == QUERY)).all() == [1]
        assert session.scalars(select(Image.id).where(Image.phash.in_([QUERY, b"\x03\x42"]))).all() == [1, 4]


def test_distances(engine):
    with Session(engine) as session:
        for distance in (
            Image.phash.nphd_distance(QUERY),
            Image.phash.prefix_hamming_distance(QUERY),
            Image.phash.jaccard_distance(QUERY),
            Image.phash.sorensen_distance(QUERY),
        ):
            assert nearest(session, distance) == [1, 2, 3]
        row = session.execute(
            select(
                Image.phash.nphd_distance(b"\x03\x42"),
                Image.phash.prefix_hamming_distance(b"\x03\x42"),
                Image.phash.hamming_distance(b"\x03\x42"),
                Image.phash.jaccard_distance(b"\xfc\xbf"),
                Image.phash.sorensen_distance(b"\xfc\xbf"),
                Image.phash.jaccard_distance(Image.phash),
            ).where(Image.id == 1)
        ).one()
        assert row == (1.0, 16, 16, pytest.approx(1 / 13), pytest.approx(1 / 25), 0)


def test_percent_signs_without_parameters(engine):
    with engine.connect() as connection:
        columns = Table("image", MetaData(), autoload_with=connection).c
        other = text("'\\xfcbf'::bitvec")
        found = connection.execute(
            select(columns.phash.jaccard_distance(other), columns.phash.sorensen_distance(other)).order_by(columns.id)
        ).first()
        assert found == (pytest.approx(1 / 13), pytest.approx(1 / 25))


def test_within(engine):
    with Session(engine) as session:

        def found(condition):
            return list(session.scalars(select(Image.id).where(condition).order_by(Image.id)))

        assert found(Image.phash.nphd_within(QUERY, 0.1)) == [1, 2, 3]
        assert found(Image.phash.hamming_within(QUERY, 1)) == [1, 3]
        assert found(Image.phash.nphd_distance(QUERY) < 0.05) == [1, 2]
        # Longer than the column's codes may be: the cast of a parameter must not have the column's limit.
        assert found(Image.phash.nphd_within(QUERY + bytes(30), 0)) == [1]


def test_joins_and_literals(engine):
    other = Image.__table__.alias()
    statement = select(Image.id, other.c.id).where(Image.phash.nphd_within(other.c.phash, 0.1), Image.id < other.c.id)
    with Session(engine) as session:
        assert sorted(session.execute(statement)) == [(1, 2), (1, 3), (2, 3)]
    sql = str(
        select(Image.id)
        .where(Image.phash.nphd_within(QUERY, 0.1))
        .compile(dialect=postgresql.dialect(), compile_kwargs={"literal_binds": True})
    )
    assert "nphd_within(image.phash, CAST('\\xfcbd' AS BITVEC), 0.1)" in sql


def test_the_index_is_used(engine):
    with engine.begin() as connection:
        Index("image_phash", Image.__table__.c.phash, postgresql_using="usearch").create(connection)
        connection.execute(text("SET enable_seqscan = off"))
        for statement in (
            select(Image.id).order_by(Image.phash.nphd_distance(QUERY)).limit(3),
            select(Image.id).where(Image.phash.nphd_within(QUERY, 0.1)),
        ):
            sql = statement.compile(connection, compile_kwargs={"literal_binds": True})
            assert "image_phash" in "\n".join(connection.scalars(text(f"EXPLAIN {sql}")))
    Image.__table__.indexes.clear()


def test_reflection(engine):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        columns = Table("image", MetaData(), autoload_with=engine).c
    assert isinstance(columns.phash.type, BITVEC)
    assert columns.phash.type.bits == 64


def test_real_vectors_need_no_type_of_their_own(engine):
    table = Table("item", MetaData(), Column("id", Integer, primary_key=True), Column("embedding", ARRAY(REAL)))
    with engine.begin() as connection:
        table.create(connection)
        connection.execute(table.insert(), [{"id": 1, "embedding": [1, 0]}, {"id": 2, "embedding": [0, 1]}])
        distance = table.c.embedding.op("<=>", return_type=Float())([0.1, 0.9])
        assert connection.scalars(select(table.c.id).order_by(distance)).all() == [2, 1]


def test_asyncpg(images):
    async def run():
        engine = create_async_engine("postgresql+asyncpg://")
        async with engine.begin() as connection:
            await connection.execute(Image.__table__.insert().values(id=9, phash=b"\xff\xff"))
            ids = await connection.scalars(
                select(Image.id).order_by(Image.phash.nphd_distance(QUERY), Image.id).limit(3)
            )
            code = await connection.scalar(select(Image.phash).where(Image.phash == b"\xff\xff"))
        await engine.dispose()
        return ids.all(), code

    assert asyncio.run(run()) == ([1, 2, 3], b"\xff\xff")
