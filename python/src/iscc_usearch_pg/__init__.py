"""The PostgreSQL extension iscc_usearch from Python.

A code of type `bitvec` is `bytes` in Python. There is one module per client: `iscc_usearch_pg.psycopg`, `.psycopg2`,
`.asyncpg`, `.sqlalchemy`, `.alembic`, `.django` and `.peewee`. Each needs its client only.
"""

from iscc_usearch_pg.codes import Code, as_code, as_text, from_text

__version__ = "0.2.0"
__all__ = ["Code", "as_code", "as_text", "from_text"]
