"""Alembic: migrations that import what they use. In `env.py`, pass `render_item` to `context.configure`."""

from __future__ import annotations

from typing import Any, Literal

from alembic.autogenerate.api import AutogenContext

from iscc_usearch_pg.sqlalchemy import BITVEC


def render_item(type_: str, obj: Any, autogen_context: AutogenContext) -> str | Literal[False]:
    """Renders `BITVEC`, and leaves everything else to Alembic."""
    if type_ != "type" or not isinstance(obj, BITVEC):
        return False
    autogen_context.imports.add("from iscc_usearch_pg.sqlalchemy import BITVEC")
    return "BITVEC()" if obj.bits is None else f"BITVEC({obj.bits})"
