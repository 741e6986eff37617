"""Fetch: download a data set into the cache, whole and verified, or leave the cache as it was."""

from __future__ import annotations

import errno
import re
import shutil
import sys
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from tenfold.datasets.network import offline
from tenfold.datasets.places import Place, cache_folder
from tenfold.datasets.provenance import Resolution
from tenfold.datasets.registry import Dataset, File, dataset
from tenfold.errors import InputError
from tenfold.files import sha256

# Seconds to wait for a connection and for the next bytes.
TIMEOUT = (5, 30)
RETRIES = 1
CHUNK_BYTES = 1 << 16


class Unavailable(InputError):
    """The publisher does not hand out the data; `reason` says why in a few words."""

    def __init__(self, name: str, reason: str):
        super().__init__(f"{name}: {reason}")
        self.reason = reason


class Unreachable(Unavailable):
    """There is no way to the publisher: no name, no connection, no answer in time."""


def fetch(name: str, progress: bool = True) -> Resolution:
    """Return the data set `name` from the cache, after downloading what is missing or damaged there.

    Raises `InputError`, and leaves the cache as it was, when the name or its address is unknown, downloads
    are forbidden, the publisher cannot be reached, the disk is full, or what arrives is not what the
    registry expects.
    """
    data = dataset(name)
    if not data.published:
        hint = f"; {data.obtain}" if data.obtain else ""
        raise InputError(f"{name}: no address is known to download it from{hint}")
    if offline():
        raise InputError(f"{name}: downloads are forbidden (TENFOLD_OFFLINE)")
    return download(data, progress)


def download(data: Dataset, progress: bool = True) -> Resolution:
    """Download `data` into the cache unless it is whole there; see `fetch` for the errors."""
    place = Place(data.name, "cache", cache_folder(data), data.files)
    with _disk_errors(data), only_one(place.folder):
        if whole(place):
            source = "cache"
        else:
            source = "download"
            _renew(data, place.folder, progress)
    return Resolution(data.name, source, place.folder, place.digest, data.title, data.licence)


def whole(place: Place) -> bool:
    """Tell whether every file of `place` is there and right."""
    return not any(place.fault(file) for file in place.files)


def _renew(data: Dataset, folder: Path, progress: bool) -> None:
    """Fill a folder beside `folder` and let it take its place only when every file in it is right."""
    for stale in folder.parent.glob(f".{data.name}~*"):
        shutil.rmtree(stale, ignore_errors=True)  # of a download that was killed; the lock is ours
    _check_room(data, folder.parent)
    staging = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{data.name}~"))
    try:
        fresh = staging / "new"
        _fill(data, fresh, progress)
        if folder.exists():
            folder.rename(staging / "old")
        fresh.rename(folder)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _fill(data: Dataset, folder: Path, progress: bool) -> None:
    """Try the archive, then the single files; raise the gravest of their errors when both fail."""
    ways: list[tuple[str, Callable]] = [(data.archive.url, _from_archive)] if data.archive else []
    if all(file.url for file in data.files):
        ways.append((data.files[0].url, _from_files))
    errors: list[InputError] = []
    for url, way in ways:
        print(f"{data.name}: downloading from {_host(url)}", file=sys.stderr)
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        try:
            return way(data, folder, progress)
        except InputError as error:
            errors.append(error)
    # Wrong bytes outrank a refusal, and a refusal outranks silence: only those two allow a stand-in.
    raise min(errors, key=lambda error: (isinstance(error, Unavailable), isinstance(error, Unreachable)))


def _from_files(data: Dataset, folder: Path, progress: bool) -> None:
    for file in data.files:
        retrieve(data.name, file.url, file.name, f"sha256:{file.sha256}", folder, progress)


def _from_archive(data: Dataset, folder: Path, progress: bool) -> None:
    archive = data.archive
    path = retrieve(data.name, archive.url, "archive.zip", archive.checksum, folder, progress)
    where = f"the archive from {_host(archive.url)}"
    try:
        with zipfile.ZipFile(path) as opened:
            for file in data.files:
                if fault := _unpack(opened, archive.members[file.name], file, folder):
                    raise InputError(f"{data.name}: {where} {fault}")
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as error:
        raise InputError(f"{data.name}: {where} is damaged ({error})") from error
    path.unlink()


def _unpack(archive: zipfile.ZipFile, member: str, file: File, folder: Path) -> str:
    """Copy one member out of the archive, wherever its top folder puts it; return what is wrong, if any."""
    members = [item for item in archive.infolist() if f"/{item.filename}".endswith(f"/{member}")]
    if len(members) != 1 or members[0].file_size != file.bytes:
        return f"holds no {member} of {file.bytes} bytes"
    target = folder / file.name
    target.parent.mkdir(parents=True, exist_ok=True)
    with archive.open(members[0]) as source, target.open("wb") as sink:
        shutil.copyfileobj(source, sink)
    found = sha256(target)
    return "" if found == file.sha256 else f"holds another {file.name}: expected {file.sha256}, found {found}"


def retrieve(name: str, url: str, file: str, checksum: str, folder: Path, progress: bool) -> Path:
    """Download one file through pooch, and translate what can go wrong into one line."""
    import pooch
    import requests

    # pooch's own lines would say everything twice.
    pooch.get_logger().setLevel("CRITICAL")
    keeper = pooch.create(folder, "", registry={file: checksum}, urls={file: url}, retry_if_failed=RETRIES)
    bar = progress and sys.stderr.isatty()
    downloader = pooch.HTTPDownloader(progressbar=bar, chunk_size=CHUNK_BYTES, timeout=TIMEOUT)
    host = _host(url)
    try:
        path = Path(keeper.fetch(file, downloader=downloader))
    except requests.HTTPError as error:
        raise Unavailable(name, f"{host} refuses {file} (HTTP {error.response.status_code})") from error
    except requests.exceptions.ChunkedEncodingError as error:
        raise InputError(f"{name}: the download of {file} from {host} broke off (truncated)") from error
    except (requests.ConnectionError, requests.Timeout) as error:
        raise Unreachable(name, f"{host} cannot be reached ({_why(error)})") from error
    except (requests.RequestException, ValueError) as error:
        found = re.search(r"but got '?([0-9a-f]+)", str(error))
        if found is None:
            raise InputError(f"{name}: {file} cannot be downloaded from {host} ({_why(error)})") from error
        expected = checksum.replace(":", " ")
        raise InputError(
            f"{name}: bad checksum of {file} from {host}: expected {expected}, found {found[1]}"
        ) from error
    path.chmod(0o644)  # pooch leaves it as private as the temporary file it was
    return path


def _host(url: str) -> str:
    return urlsplit(url).netloc


def _why(error: Exception) -> str:
    """Return the innermost reason of a network error in a few words."""
    if "timed out" in str(error):
        return "no answer in time"
    found = re.search(r"\[Errno -?\d+\] ([^'\")]+)", str(error))
    return found[1] if found else type(error).__name__


def _check_room(data: Dataset, folder: Path) -> None:
    needed = data.bytes + (data.archive.bytes if data.archive else 0)
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise _full(data, f"{needed / 1e6:.1f} MB needed, {free / 1e6:.1f} MB free")


def _full(data: Dataset, amount: str) -> InputError:
    cure = "make room, or let TENFOLD_CACHE point to another disk"
    return InputError(f"{data.name}: the disk of {cache_folder(data)} is full ({amount}); {cure}")


@contextmanager
def _disk_errors(data: Dataset) -> Iterator[None]:
    """Turn what the disk refuses into one clear line."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise _full(data, f"{data.bytes / 1e6:.1f} MB to store") from error
        why = error.strerror or error
        raise InputError(f"{data.name}: cannot write to the cache {cache_folder(data)} ({why})") from error


@contextmanager
def only_one(folder: Path) -> Iterator[None]:
    """Hold the lock of one data set, so that parallel processes download it once."""
    from filelock import FileLock

    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.parent / f".{folder.name}.lock"):
        yield
