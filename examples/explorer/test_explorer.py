"""python test_explorer.py [--screenshots]: starts the explorer on the database that libpq's variables name, asks its
API, and clicks through the page in headless Chromium. Where there is no Chromium, it says so and leaves that out."""

import contextlib
import io
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pictures
from PIL import Image

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
SEEN = ROOT / "target/explorer-screenshots"
CHROMIUM = ("chromium", "chromium-browser", "google-chrome")


def call(base: str, path: str, body: Any = None) -> tuple[int, Any]:
    data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
    try:
        with urllib.request.urlopen(urllib.request.Request(base + path, data), timeout=30) as response:
            return response.status, json.loads(response.read())
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read())


@contextlib.contextmanager
def running() -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [
        sys.executable,
        "-m",
        "uvicorn",
        "--app-dir",
        str(HERE),
        "--port",
        str(port),
        "--log-level",
        "warning",
        "app:app",
    ]
    server = subprocess.Popen(command)
    try:
        base = f"http://127.0.0.1:{port}"
        for _ in range(100):
            with contextlib.suppress(OSError):
                urllib.request.urlopen(base + "/", timeout=5).close()
                break
            assert server.poll() is None, "the server has ended"
            time.sleep(0.1)
        yield base
    finally:
        server.terminate()
        server.wait(10)


def check_search(base: str) -> None:
    known = call(base, "/api/information")[1]
    assert known["versions"] == 110_308 and len(known["repositories"]) == 4, known
    status, answer = call(base, "/api/search", {"code": known["example"], "limit": 20})
    distances = [row["distance"] for row in answer["rows"]]
    assert status == 200 and len(distances) == 20 and distances == sorted(distances) and distances[0] == 0, answer
    assert any("hnsw" in row["path"] for row in answer["rows"]) and "version_code" in answer["plan"], answer
    assert answer["recall"] >= 0.9 and answer["milliseconds"] < answer["exact_milliseconds"] * 20, answer
    within = {"code": known["example"], "limit": 100, "radius": 0.02, "repository": "qdrant/qdrant"}
    assert call(base, "/api/search", within)[1]["rows"] == [], "nothing of qdrant is that near"
    for row in call(base, "/api/search", {**within, "repository": "pgvector/pgvector", "path": "src/"})[1]["rows"]:
        assert row["repository"] == "pgvector/pgvector" and "src/" in row["path"] and row["distance"] <= 0.02, row
    licence = urllib.request.urlopen(base + "/api/licence", timeout=30).read().decode()
    paths = [
        row["path"] for row in call(base, "/api/search", {"text": licence.replace("Licensor", "Owner")})[1]["rows"]
    ]
    assert any("LICENSE" in path for path in paths), paths
    sample = call(base, "/api/recall", {"target_recall": 1})[1]
    assert sample["recall"] == 1, sample


def check_refusals(base: str) -> None:
    for path, body in [
        ("/api/search", {"code": "xyz"}),
        ("/api/search", {"code": "ISCC:NONSENSE"}),
        ("/api/search", {}),
        ("/api/search", b"{"),
        ("/api/search", {"code": "ff", "radius": 2}),
        ("/api/search", {"code": "ff", "limit": "all"}),
        ("/api/search", {"text": "\0"}),
        ("/api/search", {"code": "ff", "mode": "fast"}),
        ("/api/recall", {"target_recall": 7}),
        ("/api/image", b"not a picture"),
        ("/api/image?bits=many", b""),
    ]:
        status, answer = call(base, path, body)
        assert status == 400 and answer["error"], (path, body, status, answer)
    assert call(base, "/api/picture/999999")[0] == 404
    assert call(base, "/api/search", b"x" * 10_000_001)[0] == 413


def check_pictures(base: str) -> None:
    name, image = pictures.paint(5)
    buffer = io.BytesIO()
    image.resize((100, 75)).save(buffer, "PNG")
    rows = call(base, "/api/image?bits=10", buffer.getvalue())[1]["rows"]
    same = [row["change"] for row in rows if row["name"] == name]
    assert rows[0]["name"] == name and len(same) >= 4, rows


def check_tutorial() -> None:
    """The Python of the tutorial on images, with pictures of its names."""
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "docs/tutorials/images.md").read_text(encoding="utf-8"), re.S)
    printed = io.StringIO()
    with tempfile.TemporaryDirectory() as directory, contextlib.chdir(directory), contextlib.redirect_stdout(printed):
        for number, name in enumerate(["sunset", "harbour", "forest"]):
            pictures.paint(number)[1].save(f"{name}.jpg")
        pictures.paint(0)[1].resize((120, 90)).save("sunset-small.jpg")
        exec("\n".join(blocks), {})
    assert printed.getvalue().startswith("sunset.jpg"), printed.getvalue()


def take(page: Any, name: str) -> None:
    SEEN.mkdir(parents=True, exist_ok=True)
    page.evaluate("scrollTo(0, 0)")
    full = Image.open(io.BytesIO(page.screenshot()))
    full.convert("P", palette=Image.Palette.ADAPTIVE, colors=96).save(SEEN / f"{name}.png", optimize=True)


def click_through(browser: Any, base: str) -> None:
    page = browser.new_page(viewport={"width": 1180, "height": 900})
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(base)
    page.get_by_role("button", name="Try the Apache licence, changed").click()
    page.get_by_text("10 rows, nearest first").wait_for()
    assert "LICENSE" in page.locator(".rows .name").first.inner_text()
    page.locator("#fact-sample", has_text="%").wait_for()
    take(page, "explorer-text")

    page.get_by_role("tab", name="Text").press("ArrowRight")
    page.get_by_role("button", name="Try a version of pgvector's hnswscan.c").click()
    page.locator(".rows .name", has_text="hnswscan.c").first.wait_for()
    page.get_by_label("Repository").select_option("qdrant/qdrant")
    page.locator(".rows .note", has_text="qdrant/qdrant").first.wait_for()
    assert page.locator(".rows .note", has_text="pgvector").count() == 0
    page.get_by_label("Repository").select_option("")
    page.get_by_label("Within").select_option("0.1")
    page.get_by_text("SQL and plan").click()
    page.locator("#sql", has_text="nphd_within").wait_for()
    page.locator("#fact-sample", has_text="%").wait_for()
    take(page, "explorer-code")
    page.get_by_label("Within").select_option("")
    page.get_by_label("target_recall").fill("8")
    page.locator("#fact-recall", has_text="100\u00a0%").wait_for()
    page.get_by_label("Paste a code").fill("hello")
    page.get_by_label("Paste a code").press("Enter")
    page.locator("#message.error", has_text="invalid input syntax").wait_for()

    page.get_by_role("tab", name="Image").click()
    page.locator("#samples button").nth(1).click()
    page.locator(".rows img").nth(4).wait_for()
    page.wait_for_load_state("networkidle")
    take(page, "explorer-image")
    name, image = pictures.paint(6)
    buffer = io.BytesIO()
    image.resize((120, 90)).save(buffer, "JPEG", quality=30)
    page.locator("#file").set_input_files({"name": "mine.jpg", "mimeType": "image/jpeg", "buffer": buffer.getvalue()})
    page.locator(".rows .name", has_text=name).first.wait_for()
    check_accessibility(page)
    page.set_viewport_size({"width": 400, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "the page is wider than a phone"
    assert errors == [], errors


def check_accessibility(page: Any) -> None:
    """Every control has a name, every picture a description, and the tabs say which is chosen."""
    nameless = page.evaluate("""() => [...document.querySelectorAll('button, input, select, textarea')]
        .filter(each => !each.labels?.length && !each.textContent.trim())
        .filter(each => !each.querySelector('img[alt]:not([alt=""])'))
        .map(each => each.outerHTML)""")
    assert nameless == [], nameless
    assert page.locator("img:not([alt]), canvas:not([aria-label])").count() == 0
    assert page.locator("[role=tab][aria-selected=true]").count() == 1


def in_browser(base: str) -> bool:
    from playwright.sync_api import Error, sync_playwright

    with sync_playwright() as playwright:
        path = next(filter(None, map(shutil.which, CHROMIUM)), None)
        try:
            browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        except Error as error:
            if path:
                raise
            print(f"explorer: SKIPPED the page: no Chromium here ({str(error).splitlines()[0]})", file=sys.stderr)
            return False
        click_through(browser, base)
        browser.close()
    return True


def main() -> None:
    os.chdir(ROOT)
    with running() as base:
        check_search(base)
        check_refusals(base)
        check_pictures(base)
        check_tutorial()
        clicked = in_browser(base)
    if clicked and "--screenshots" in sys.argv:
        for image in SEEN.glob("*.png"):
            shutil.copyfile(image, ROOT / "docs/images" / image.name)
    print(f"explorer: API tested, page {'clicked through' if clicked else 'NOT tested'}")


if __name__ == "__main__":
    main()
