"""Serves the dashboard: the files of `connectors/dashboard` as they lie there, and one page for all paths of it."""

from __future__ import annotations

import base64
import hashlib
import re
from pathlib import Path
from typing import Final

from starlette.types import ASGIApp, Receive, Scope, Send

FOLDER: Final = Path(__file__).parent.parent / "dashboard"
TYPES: Final = {
    ".html": b"text/html; charset=utf-8",
    ".js": b"text/javascript; charset=utf-8",
    ".css": b"text/css; charset=utf-8",
    ".svg": b"image/svg+xml",
}
IMPORT_MAP: Final = re.compile(r'<script type="importmap">(.*?)</script>', re.DOTALL)
PAGES: Final = frozenset(
    f"/{name}"
    for name in (
        *("", "login", "topics", "groups", "alerts", "messages", "letters", "transactions", "system"),
        *("balance", "trace", "usage", "audit", "users", "account", "orders", "ai"),
    )
)
"""Paths that the page itself tells apart."""
FILE: Final = re.compile(r"/assets/((?:[a-z0-9_-]+/)*[a-z0-9_.-]+)")


def import_map_source(folder: Path = FOLDER) -> str:
    """Return the source for a content security policy that allows the page's import map, which must stand within it."""
    (text,) = IMPORT_MAP.findall((folder / "index.html").read_text("utf-8"))
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


class Pages:
    """ASGI middleware that answers for the dashboard's files. A browser asks again each time, by their hash."""

    def __init__(self, app: ASGIApp, folder: Path = FOLDER) -> None:
        self._app, self._folder = app, folder

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer for a file, or pass the request on."""
        path = self._file(scope["path"]) if scope["type"] == "http" and scope["method"] in {"GET", "HEAD"} else None
        if path is None:
            await self._app(scope, receive, send)
            return
        body = path.read_bytes()
        tag = f'"{hashlib.sha256(body).hexdigest()[:20]}"'.encode()
        fresh = dict(scope["headers"]).get(b"if-none-match") == tag
        sent = b"" if fresh or scope["method"] == "HEAD" else body
        headers = [
            (b"content-type", TYPES[path.suffix]),
            (b"content-length", str(len(sent)).encode()),
            (b"cache-control", b"no-cache"),
            (b"etag", tag),
        ]
        await send({"type": "http.response.start", "status": 304 if fresh else 200, "headers": headers})
        await send({"type": "http.response.body", "body": sent})

    def _file(self, path: str) -> Path | None:
        if path in PAGES:
            return self._folder / "index.html"
        named = FILE.fullmatch(path)
        if named is None:
            return None
        found = self._folder / named[1]
        return found if found.suffix in TYPES and found.is_file() else None
