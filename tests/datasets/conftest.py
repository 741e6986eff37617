"""A checkout of its own with one small data set, an empty cache, no mirror, and a local publisher."""

import hashlib
import io
import json
import zipfile
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from tenfold import project
from tenfold.datasets import fetch, provenance

CONTENT = {"one.bin": bytes(range(256)) * 40, "two.bin": b"second file\n" * 9}
STAND_IN = b'{"small": 1}\n'


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


class Publisher:
    """A web server on this machine: `routes` maps a path to its body; what else it does is set per test."""

    def __init__(self):
        self.routes: dict[str, bytes] = {}
        self.statuses: dict[str, int] = {}
        self.broken: Counter[str] = Counter()  # path -> how many answers stop in the middle
        self.asked: list[str] = []
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.thread = Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        self.thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}"

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()

    def _handler(publisher):
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                publisher.asked.append(self.path)
                body = publisher.routes.get(self.path)
                self.send_response(publisher.statuses.get(self.path, 404 if body is None else 200))
                self.send_header("Content-Length", str(len(body or b"")))
                self.end_headers()
                if body and publisher.broken[self.path] > 0:
                    publisher.broken[self.path] -= 1
                    body = body[: len(body) // 2]
                self.wfile.write(body or b"")

            def log_message(self, *args):
                pass

        return Handler


@pytest.fixture
def publisher():
    server = Publisher()
    yield server
    server.close()


class Checkout:
    """Writes the registry that the test wants, and knows the folders."""

    def __init__(self, root: Path):
        self.root = root
        self.cache = root / "cache"
        self.mirror = root / "mirror"
        self.text = ""

    def register(self, name: str = "numbers", base: str = "", archive: dict | None = None, embedded=True):
        """Add a data set of the two files to the registry."""
        lines = [f"[{name}]", 'title = "two files"', 'domain = "test"', 'licence = "CC0"']
        lines += [
            'citation = "nobody"',
            'homepage = ""',
            f'mirror = "shelf/{name}"',
            f"base = {json.dumps(base)}",
        ]
        lines.append("files = [")
        for file, data in CONTENT.items():
            lines.append(f'  {{ name = "{file}", bytes = {len(data)}, sha256 = "{sha256(data)}" }},')
        lines.append("]")
        if archive:
            lines += [
                f"[{name}.archive]",
                *(f"{key} = {json.dumps(value)}" for key, value in archive.items()),
            ]
        if embedded:
            self.write(self.root / "data" / "embedded" / "test" / "small.json", STAND_IN)
            lines += [f"[{name}.embedded]", 'name = "test/small.json"', f"bytes = {len(STAND_IN)}"]
            lines.append(f'sha256 = "{sha256(STAND_IN)}"')
        self.text += "\n".join(lines) + "\n"
        self.write(self.root / "data" / "registry.toml", self.text.encode())

    def fill_mirror(self, name: str = "numbers", content: dict[str, bytes] = CONTENT) -> Path:
        for file, data in content.items():
            self.write(self.mirror / "shelf" / name / file, data)
        return self.mirror / "shelf" / name

    def fill_cache(self, name: str = "numbers", content: dict[str, bytes] = CONTENT) -> Path:
        for file, data in content.items():
            self.write(self.cache / "datasets" / name / file, data)
        return self.cache / "datasets" / name

    def left(self) -> list[str]:
        """Return every file in the cache but the empty locks."""
        paths = [path for path in self.cache.rglob("*") if path.is_file()]
        return sorted(str(path.relative_to(self.cache)) for path in paths if path.suffix != ".lock")

    @staticmethod
    def write(path: Path, data: bytes) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    place = Checkout(tmp_path)
    monkeypatch.setattr(project, "root", lambda: tmp_path)
    monkeypatch.setenv("TENFOLD_CACHE", str(place.cache))
    monkeypatch.setenv("TENFOLD_MIRROR", str(place.mirror))
    # Set through monkeypatch, so that what the code itself sets is gone afterwards.
    monkeypatch.setenv("TENFOLD_OFFLINE", "0")
    monkeypatch.setattr(fetch, "RETRIES", 0)
    monkeypatch.setattr(provenance, "_used", {})
    monkeypatch.setattr(provenance, "_told", set())
    return place


@pytest.fixture
def published(checkout, publisher):
    """The checkout with the data set `numbers` published, file by file, at the local server."""
    publisher.routes |= {f"/{file}": data for file, data in CONTENT.items()}
    checkout.register(base=f"{publisher.url}/")
    return checkout


def zipped(content: dict[str, bytes]) -> bytes:
    """Return a zip archive of `content`."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in content.items():
            archive.writestr(name, data)
    return buffer.getvalue()


@pytest.fixture
def nobody():
    """An address at which nobody listens."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
    port = server.server_address[1]
    server.server_close()
    return f"http://127.0.0.1:{port}"


@pytest.fixture
def bare(monkeypatch, tmp_path):
    """A machine with neither mirror nor cache nor network."""
    monkeypatch.setenv("TENFOLD_MIRROR", str(tmp_path / "none"))
    monkeypatch.setenv("TENFOLD_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("TENFOLD_OFFLINE", "1")
    monkeypatch.setattr(provenance, "_used", {})
