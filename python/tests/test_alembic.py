"""Alembic: the first migration runs as it is written, the second finds nothing to do."""

from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine, inspect
from sqlalchemy.pool import NullPool

MODELS = """
from sqlalchemy import Index
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from iscc_usearch_pg.sqlalchemy import BITVEC

class Base(DeclarativeBase):
    pass

class Image(Base):
    __tablename__ = "image"
    id: Mapped[int] = mapped_column(primary_key=True)
    phash: Mapped[bytes] = mapped_column(BITVEC(256))
    any_length: Mapped[bytes | None] = mapped_column(BITVEC)
    __table_args__ = (
        Index("image_phash", "phash", postgresql_using="usearch", postgresql_with={"m": 24, "shard_size": "'64MB'"}),
        Index("image_hamming", "phash", postgresql_using="usearch",
              postgresql_ops={"phash": "bitvec_hamming_ops"}),
    )
"""

ENV = """
from alembic import context
from sqlalchemy import create_engine
from sqlalchemy.pool import NullPool
from iscc_usearch_pg.alembic import render_item

scope = {"__name__": "models"}
exec(context.config.attributes["models"], scope)
with create_engine("postgresql+psycopg://", poolclass=NullPool).connect() as connection:
    context.configure(connection=connection, target_metadata=scope["Base"].metadata, render_item=render_item)
    with context.begin_transaction():
        context.run_migrations()
"""


@pytest.fixture
def config(connection, tmp_path):
    config = Config(str(tmp_path / "alembic.ini"))
    config.set_main_option("script_location", str(tmp_path / "migrations"))
    config.attributes["models"] = MODELS
    command.init(config, str(tmp_path / "migrations"))
    (tmp_path / "migrations" / "env.py").write_text(ENV)
    return config


def test_the_second_autogenerate_is_empty(config):
    first = command.revision(config, "first", autogenerate=True)
    source = Path(first.path).read_text()
    assert "from iscc_usearch_pg.sqlalchemy import BITVEC" in source
    assert "BITVEC(256)" in source and "BITVEC()" in source
    command.upgrade(config, "head")
    engine = create_engine("postgresql+psycopg://", poolclass=NullPool)
    indexes = {index["name"]: index for index in inspect(engine).get_indexes("image")}
    assert indexes["image_phash"]["dialect_options"]["postgresql_with"] == {"m": "24", "shard_size": "64MB"}
    assert set(indexes) == {"image_phash", "image_hamming"}

    # `alembic check` fails if autogenerate would write anything.
    command.check(config)
    second = command.revision(config, "second", autogenerate=True)
    body = Path(second.path).read_text().split("def upgrade()")[1]
    assert body.count("pass") == 2 and "op." not in body

    command.upgrade(config, "head")
    config.attributes["models"] = MODELS.replace("BITVEC(256)", "BITVEC(128)")
    third = command.revision(config, "third", autogenerate=True)
    assert "type_=BITVEC(128)" in Path(third.path).read_text()
