"""Resolution: find the data, in the mirror, the cache, at the publisher, or in what is embedded."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from tenfold import project
from tenfold.datasets import installed as installation
from tenfold.datasets import network
from tenfold.datasets.digests import digest_of
from tenfold.datasets.places import Place, at_hand, cache_folder, places
from tenfold.datasets.provenance import Resolution, note
from tenfold.datasets.registry import Dataset, dataset, datasets
from tenfold.errors import InputError


def resolve(name: str, *, offline: bool | None = None, embedded: bool = True, missing_ok: bool = False) -> Resolution:
    """Return where the data set `name` is, after checking every file against its checksum.

    Asked in this order: mirror, cache, the publisher (unless `offline`; None takes `TENFOLD_OFFLINE`),
    and the embedded stand-in where there is one and `embedded` allows it. With `missing_ok`, data that
    are nowhere give a resolution with the source "absent". Raises `InputError` when the name is unknown,
    when a file is damaged (never a silent fallback), or when the data are nowhere.
    """
    data = dataset(name)
    if place := at_hand(data, embedded=not data.files):
        return note(_checked(data, place))
    reason = "offline" if network.offline(offline) else "no address is known"
    if data.published and not network.offline(offline):
        found = _download(data)
        if isinstance(found, Resolution):
            return note(found)
        reason = found
    if embedded and data.embedded:
        return note(_checked(data, places(data)[-1]), reason)
    if missing_ok:
        return note(Resolution(name, "absent", None, "", data.title, data.licence), reason)
    raise InputError(_nowhere(data, reason))


def local(folder: Path, names: Iterable[str] | None = None) -> Resolution:
    """Return the resolution of a reader's own file or folder; a folder's digest is that of its files (or `names`)."""
    folder = Path(folder)
    if folder.is_file():
        return note(Resolution(str(folder), "real", folder.parent, _file_digest(folder), folder.name))
    present = [path.name for path in folder.iterdir() if path.is_file()] if names is None else names
    return note(Resolution(str(folder), "real", folder, digest_of(folder, present), folder.resolve().name))


def fingerprint(name: str, *, embedded: bool = True) -> str:
    """Return `source:digest` of what is at hand now, or "absent"; nothing is downloaded or judged.

    It equals `Resolution.fingerprint` of `resolve` in the same situation. A damaged file changes it, so
    what depends on the file runs again and meets the error. `name` may also be a reader's own folder or
    file, or one of the texts that come with Python; what is gone is absent.
    """
    if name in installation.NAMES:
        return installation.installed(name).fingerprint
    if name in datasets():
        place = at_hand(dataset(name), embedded=embedded)
    elif (path := Path(name)).is_dir():
        return f"real:{digest_of(path, [item.name for item in path.iterdir()])}"
    elif path.is_file():
        return f"real:{_file_digest(path)}"
    else:
        place = None
    return f"{place.source}:{place.digest}" if place else "absent"


def _checked(data: Dataset, place: Place) -> Resolution:
    place.check()
    return Resolution(data.name, place.source, place.folder, place.digest, data.title, data.licence)


def _file_digest(path: Path) -> str:
    return digest_of(path.parent, [path.name])


def _download(data: Dataset) -> Resolution | str:
    """Return the downloaded data, or why the publisher does not answer."""
    from tenfold.datasets.fetch import Unavailable, Unreachable, download

    try:
        return download(data)
    except Unreachable as error:
        network.give_up()
        return error.reason
    except Unavailable as error:
        return error.reason


def _nowhere(data: Dataset, reason: str) -> str:
    mirror = project.mirror()
    tried = f"not in the mirror {mirror}" if mirror else "no mirror (TENFOLD_MIRROR)"
    cures = [f"run `tenfold data fetch {data.name}` with a network"] if data.published else []
    cures += [f"let TENFOLD_MIRROR point to a folder that holds {data.mirror}"] if data.mirror else []
    cures += [data.obtain] if data.obtain else []
    return f"{data.name}: {tried}, not in the cache {cache_folder(data)}, {reason}; {', or '.join(cures)}"
