"""The routes of iscc-search for assets and search, over the schema `catalogue`.

    uvicorn app:app                    # libpq's variables say which database: PGHOST, PGDATABASE, ...

One catalogue is one index; CATALOGUE_NAME (default "catalogue") is its name in the routes. If CATALOGUE_API_KEY is set,
requests need it in the header X-API-Key. All work is done by the functions of the schema, each request is one
transaction, and any number of processes may serve one database.
"""

import os
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import psycopg
from psycopg.types.json import Jsonb
from psycopg_pool import AsyncConnectionPool
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

NAME = os.environ.get("CATALOGUE_NAME", "catalogue")
API_KEY = os.environ.get("CATALOGUE_API_KEY")

DECLARE = """
    SELECT CASE WHEN EXISTS (SELECT FROM catalogue.asset WHERE iscc_id::text = %(entry)s->>'iscc_id')
                THEN 'updated' ELSE 'created' END, catalogue.declare(%(entry)s)::text
"""
SEARCH = """
    SELECT s.iscc_id::text, s.score, s.types, a.metadata
      FROM catalogue.search(%s, %s) WITH ORDINALITY AS s (iscc_id, score, types, n)
      JOIN catalogue.asset a USING (iscc_id) ORDER BY n
"""
SEARCH_CHUNKS = """
    SELECT s.iscc_id::text, s.score, s.matches, a.metadata
      FROM catalogue.search_chunks(%s, %s) WITH ORDINALITY AS s (iscc_id, score, matches, n)
      JOIN catalogue.asset a USING (iscc_id) ORDER BY n
"""

Handler = Callable[[Request, psycopg.AsyncConnection], Awaitable[JSONResponse]]


def route(path: str, handler: Handler, method: str = "GET") -> Route:
    """A route whose handler has a connection, with one transaction; errors of the database become those of HTTP."""

    async def endpoint(request: Request) -> JSONResponse:
        if API_KEY and not secrets.compare_digest(request.headers.get("x-api-key", "").encode(), API_KEY.encode()):
            raise HTTPException(401, "Unauthorized")
        if request.path_params.get("name", NAME) != NAME:
            raise HTTPException(404, f"there is one index here, {NAME}")
        try:
            async with request.app.state.pool.connection() as connection:
                return await handler(request, connection)
        except psycopg.errors.NoDataFound as error:
            raise HTTPException(404, str(error.diag.message_primary)) from error
        except (psycopg.DataError, psycopg.IntegrityError) as error:
            parts = (error.diag.message_primary, error.diag.message_detail, error.diag.message_hint)
            raise HTTPException(400, ". ".join(part.rstrip(".") for part in parts if part)) from error

    return Route(path, endpoint, methods=[method])


async def body(request: Request) -> Any:
    try:
        return await request.json()
    except ValueError as error:
        raise HTTPException(400, f"invalid JSON: {error}") from error


async def all_rows(connection: psycopg.AsyncConnection, sql: str, *values: Any) -> list[tuple[Any, ...]]:
    return await (await connection.execute(sql, values)).fetchall()


async def index(connection: psycopg.AsyncConnection) -> dict[str, Any]:
    sql = """SELECT (SELECT count(*) FROM catalogue.asset), sum(pg_total_relation_size(c.oid))::bigint / 1000000
               FROM pg_class c WHERE relnamespace = 'catalogue'::regnamespace AND relkind = 'r'"""
    ((assets, megabytes),) = await all_rows(connection, sql)
    return {"name": NAME, "assets": assets, "size": megabytes}


async def list_indexes(_: Request, connection: psycopg.AsyncConnection) -> JSONResponse:
    return JSONResponse([await index(connection)])


async def get_index(_: Request, connection: psycopg.AsyncConnection) -> JSONResponse:
    return JSONResponse(await index(connection))


async def add_assets(request: Request, connection: psycopg.AsyncConnection) -> JSONResponse:
    """All of the entries or none. In the order of their ids, so that two requests cannot wait for each other."""
    entries = await body(request)
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise HTTPException(400, "the body must be an array of entries")
    results: list[dict[str, str]] = [{} for _ in entries]
    for n, entry in sorted(enumerate(entries), key=lambda item: str(item[1].get("iscc_id"))):
        cursor = await connection.execute(DECLARE, {"entry": Jsonb(entry)})
        status, iscc_id = await cursor.fetchone() or ("", "")
        results[n] = {"iscc_id": iscc_id, "status": status}
    return JSONResponse(results, status_code=201)


async def get_asset(request: Request, connection: psycopg.AsyncConnection) -> JSONResponse:
    iscc_id = request.path_params["iscc_id"]
    ((entry,),) = await all_rows(connection, "SELECT catalogue.entry(%s)", iscc_id)
    if entry is None:
        raise HTTPException(404, f"asset {iscc_id} is not in the catalogue")
    return JSONResponse(entry)


async def forget_asset(request: Request, connection: psycopg.AsyncConnection) -> JSONResponse:
    """Not a route of iscc-search, which cannot delete assets."""
    iscc_id = request.path_params["iscc_id"]
    ((found,),) = await all_rows(connection, "SELECT catalogue.forget(%s)", iscc_id)
    if not found:
        raise HTTPException(404, f"asset {iscc_id} is not in the catalogue")
    return JSONResponse({"iscc_id": iscc_id, "status": "deleted"})


async def chunk_matches(connection: psycopg.AsyncConnection, query: dict[str, Any], limit: int) -> list[dict[str, Any]]:
    """Matches of passages, with the numbers of each type of simprints that the query has."""
    if query.get("iscc_id"):
        entry = ((await all_rows(connection, "SELECT catalogue.entry(%s)", query["iscc_id"]))[0][0]) or {}
        simprints = {kind: [s["simprint"] for s in all_of] for kind, all_of in entry.get("simprints", {}).items()}
    else:
        simprints = query.get("simprints") or {}
    if not simprints:
        return []
    found = await all_rows(connection, SEARCH_CHUNKS, Jsonb(query), limit)
    matches: dict[str, dict[str, Any]] = {
        iscc_id: {"iscc_id": iscc_id, "score": score, "types": {}} | ({"metadata": metadata} if metadata else {})
        for iscc_id, score, _, metadata in found
    }
    for kind, asked in simprints.items():
        part = (
            found
            if len(simprints) == 1
            else await all_rows(connection, SEARCH_CHUNKS, Jsonb({"simprints": {kind: asked}}), 2**31 - 1)
        )
        for iscc_id, score, count, _ in part:
            if iscc_id in matches:
                matches[iscc_id]["types"][kind] = {"score": score, "matches": count, "queried": len(asked)}
    return list(matches.values())


async def search(connection: psycopg.AsyncConnection, query: dict[str, Any], limit: str) -> JSONResponse:
    if not limit.isascii() or not limit.isdigit() or int(limit) >= 2**31:
        raise HTTPException(400, "limit must be a positive number")
    found = await all_rows(connection, SEARCH, Jsonb(query), int(limit))
    matches = [
        {"iscc_id": iscc_id, "score": score, "types": types} | ({"metadata": metadata} if metadata else {})
        for iscc_id, score, types, metadata in found
    ]
    chunks = await chunk_matches(connection, query, int(limit))
    return JSONResponse({"query": query, "global_matches": matches, "chunk_matches": chunks})


async def search_get(request: Request, connection: psycopg.AsyncConnection) -> JSONResponse:
    query = {"iscc_code": request.query_params.get("iscc_code")}
    return await search(connection, query, request.query_params.get("limit", "100"))


async def search_post(request: Request, connection: psycopg.AsyncConnection) -> JSONResponse:
    query = await body(request)
    if not isinstance(query, dict):
        raise HTTPException(400, "the body must be a query")
    return await search(connection, query, request.query_params.get("limit", "100"))


async def healthz(_: Request) -> JSONResponse:
    return JSONResponse({"status": "ok"})


async def readyz(request: Request) -> JSONResponse:
    try:
        async with request.app.state.pool.connection(timeout=5) as connection:
            await connection.execute("SELECT FROM catalogue.asset LIMIT 1")
    except psycopg.Error as error:
        return JSONResponse({"status": "not_ready", "reason": str(error)}, status_code=503)
    return JSONResponse({"status": "ready"})


async def refused(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    return JSONResponse({"detail": error.detail}, status_code=error.status_code)


@asynccontextmanager
async def lifespan(app: Starlette) -> AsyncIterator[None]:
    async with AsyncConnectionPool(min_size=1, max_size=int(os.environ.get("CATALOGUE_CONNECTIONS", "10"))) as pool:
        app.state.pool = pool
        yield


app = Starlette(
    lifespan=lifespan,
    exception_handlers={HTTPException: refused},
    routes=[
        Route("/healthz", healthz),
        Route("/readyz", readyz),
        route("/indexes", list_indexes),
        route("/indexes/{name}", get_index),
        route("/indexes/{name}/assets", add_assets, "POST"),
        route("/indexes/{name}/assets/{iscc_id}", get_asset),
        route("/indexes/{name}/assets/{iscc_id}", forget_asset, "DELETE"),
        route("/indexes/{name}/search", search_get),
        route("/indexes/{name}/search", search_post, "POST"),
    ],
)
