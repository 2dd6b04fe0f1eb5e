"""The explorer: a page that searches the demo's data. Run it by `make explorer`; or, with libpq's variables set, on a
database that load.sql and pictures.py have filled: uvicorn app:app"""

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import imagehash
import psycopg
import queries
from PIL import Image, UnidentifiedImageError
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

HERE = Path(__file__).resolve().parent
MAX_BODY = 10_000_000
MAX_TEXT = 1_000_000
Image.MAX_IMAGE_PIXELS = 50_000_000

pool = queries.pool()


async def with_connection(work: Callable[..., Any], *arguments: Any) -> Any:
    def run() -> Any:
        with pool.connection() as connection:
            return work(connection, *arguments)

    return await run_in_threadpool(run)


async def body(request: Request) -> bytes:
    content = b""
    async for chunk in request.stream():
        content += chunk
        if len(content) > MAX_BODY:
            raise HTTPException(413, "That is more than 10 MB.")
    return content


def number(value: Any, low: float, high: float, name: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise HTTPException(400, f"{name} must be a number from {low:g} to {high:g}.")
    return value


def string(asked: dict[str, Any], name: str) -> str:
    value = asked.get(name) or ""
    if not isinstance(value, str) or len(value) > MAX_TEXT or "\0" in value:
        raise HTTPException(400, f"{name} must be a text of at most {MAX_TEXT} characters.")
    return value.strip()


async def parsed(request: Request) -> dict[str, Any]:
    try:
        asked = json.loads(await body(request))
    except ValueError:
        raise HTTPException(400, "The request is not JSON.") from None
    if not isinstance(asked, dict) or asked.get("mode", "auto") not in queries.MODES:
        raise HTTPException(400, "The request is not an object with a known mode.")
    return asked


async def search(request: Request) -> Response:
    asked = await parsed(request)
    text, code = string(asked, "text"), string(asked, "code")
    if not text and not code:
        raise HTTPException(400, "Enter a text or a code to search for.")
    radius = asked.get("radius")
    wanted = queries.Search(
        b"",
        repository=string(asked, "repository") or None,
        path=string(asked, "path") or None,
        radius=None if radius is None else number(radius, 0, 1, "radius"),
        limit=int(number(asked.get("limit", 10), 1, 100, "limit")),
        target_recall=number(asked.get("target_recall", 0.99), 0, 1, "target_recall"),
        mode=asked.get("mode", "auto"),
    )

    def work(connection: queries.Connection) -> dict[str, Any]:
        wanted.code = queries.text_code(connection, text) if text else queries.read_code(connection, code)
        return queries.search(connection, wanted)

    return JSONResponse(await with_connection(work))


async def recall(request: Request) -> Response:
    asked = await parsed(request)
    target = number(asked.get("target_recall", 0.99), 0, 1, "target_recall")
    return JSONResponse(await with_connection(queries.index_recall, target, asked.get("mode", "auto")))


def perceptual_hash(content: bytes) -> bytes:
    try:
        return bytes.fromhex(str(imagehash.phash(Image.open(io.BytesIO(content)))))
    except (UnidentifiedImageError, Image.DecompressionBombError, OSError, SyntaxError, ValueError):
        raise HTTPException(400, "That is not a picture that can be read.") from None


async def image(request: Request) -> Response:
    """A picture in, its near-duplicates out."""
    bits = request.query_params.get("bits", "10")
    if not bits.isascii() or not bits.isdigit() or int(bits) > 64:
        raise HTTPException(400, "bits must be a number from 0 to 64.")
    phash = await run_in_threadpool(perceptual_hash, await body(request))
    return JSONResponse(await with_connection(queries.pictures, phash, int(bits)))


async def thumbnail(request: Request) -> Response:
    content = await with_connection(queries.thumbnail, request.path_params["id"])
    if content is None:
        raise HTTPException(404, "There is no such picture.")
    return Response(content, media_type="image/jpeg", headers={"Cache-Control": "max-age=3600"})


async def information(_: Request) -> Response:
    return JSONResponse(await with_connection(queries.information))


async def licence(_: Request) -> Response:
    return PlainTextResponse((HERE.parents[1] / "LICENSE").read_text(encoding="utf-8"))


async def page(_: Request) -> Response:
    return FileResponse(HERE / "static/index.html")


async def refused(_: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    return JSONResponse({"error": getattr(error, "detail", "")}, status)


async def failed(_: Request, error: Exception) -> Response:
    """What PostgreSQL says about bad input is good enough for the page."""
    diagnosis = error.diag if isinstance(error, psycopg.Error) else None
    parts = [diagnosis.message_primary, diagnosis.message_hint] if diagnosis else []
    return JSONResponse({"error": ". ".join(part for part in parts if part) or "The database cannot be reached."}, 400)


app = Starlette(
    routes=[
        Route("/", page),
        Route("/api/information", information),
        Route("/api/licence", licence),
        Route("/api/search", search, methods=["POST"]),
        Route("/api/recall", recall, methods=["POST"]),
        Route("/api/image", image, methods=["POST"]),
        Route("/api/picture/{id:int}", thumbnail),
        Mount("/static", StaticFiles(directory=HERE / "static")),
    ],
    exception_handlers={HTTPException: refused, psycopg.Error: failed},
)
