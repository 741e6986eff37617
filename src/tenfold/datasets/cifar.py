"""CIFAR-10 and CIFAR-100: the binary and the Python version, packed or unpacked, read without running pickles."""

from __future__ import annotations

import io
import math
import pickle
import pickletools
import tarfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from tenfold.errors import InputError

PIXELS = 3 * 32 * 32

# Mean and deviation of the channels as arXiv 2409.09196 standardises by them (inputs on the scale [0, 1]).
MOMENTS = {
    "cifar10": ((0.4914, 0.4822, 0.4465), (0.2023, 0.1994, 0.2010)),
    "cifar100": ((0.5071, 0.4865, 0.4409), (0.2673, 0.2564, 0.2762)),
}

# What damaged bytes make the unpickler raise.
BROKEN = (
    pickle.UnpicklingError,
    ArithmeticError,
    AttributeError,
    EOFError,
    ImportError,
    LookupError,
    MemoryError,
    TypeError,
    ValueError,
)


@dataclass(frozen=True)
class Layout:
    """The files of one set: batches of training and of test rows, and how labels and their names are kept."""

    train: tuple[str, ...]
    test: str
    names: str
    label_key: bytes
    names_key: bytes
    names_text: str
    label_bytes: int  # of a row in the binary version; the last one counts

    @property
    def python(self) -> tuple[str, ...]:
        """Names of the files of the Python version: training batches, test batch, class names."""
        return (*self.train, self.test, self.names)

    @property
    def binary(self) -> tuple[str, ...]:
        """Names of the files of the binary version, in the same order."""
        return (*(f"{name}.bin" for name in (*self.train, self.test)), self.names_text)


LAYOUTS = {
    "cifar10": Layout(
        tuple(f"data_batch_{number}" for number in range(1, 6)),
        "test_batch",
        "batches.meta",
        b"labels",
        b"label_names",
        "batches.meta.txt",
        1,
    ),
    "cifar100": Layout(("train",), "test", "meta", b"fine_labels", b"fine_label_names", "fine_label_names.txt", 2),
}


def read_cifar(name: str, path: Path) -> tuple[tuple[np.ndarray, ...], tuple[str, ...]]:
    """Return train_x, train_y, test_x, test_y (uint8 (N, 3, 32, 32), int64 (N,)) and the names of the classes.

    `path` is the publisher's tar.gz of either version, a folder that holds it, or what it unpacks to. Pickles of the
    Python version may build arrays, dictionaries, lists and strings, and are refused when they name anything else.
    Raises InputError that names the file.
    """
    layout = LAYOUTS[name]
    files = _files(name, path)
    if set(layout.python) <= files.keys():
        batches = [_pickled(files[item], item, layout, path) for item in layout.python[:-1]]
        names = _names(files[layout.names], layout, path)
    elif set(layout.binary) <= files.keys():
        batches = [_rows(files[item], item, layout, path) for item in layout.binary[:-1]]
        names = tuple(files[layout.names_text].decode("ascii", "replace").split())
    else:
        raise InputError(f"{path} holds neither {', '.join(layout.python)} nor {', '.join(layout.binary)}")
    x, y = zip(*batches, strict=True)
    return (np.concatenate(x[:-1]), np.concatenate(y[:-1]), x[-1], y[-1]), names


def _files(name: str, path: Path) -> dict[str, bytes]:
    """Return the content of the files of one version, by name: from a tar file, a folder, or a folder below it."""
    layout = LAYOUTS[name]
    wanted = {*layout.python, *layout.binary}
    if path.is_file():
        return _unpacked(path, wanted)
    for folder in (path, *sorted(item for item in path.iterdir() if item.is_dir())):
        present = {item.name for item in folder.iterdir() if item.is_file()}
        for version in (layout.python, layout.binary):
            if present.issuperset(version):
                return {item: (folder / item).read_bytes() for item in version}
    archives = sorted(path.glob(f"{name.replace('cifar', 'cifar-')}-*.tar.gz"))
    return _unpacked(archives[0], wanted) if archives else {}


def _unpacked(path: Path, wanted: set[str]) -> dict[str, bytes]:
    try:
        with tarfile.open(path) as archive:
            # Read into memory by their last name: nothing of the archive chooses where it is written.
            members = (item for item in archive if item.isfile() and item.name.rpartition("/")[2] in wanted)
            return {item.name.rpartition("/")[2]: archive.extractfile(item).read() for item in members}
    except (OSError, EOFError, tarfile.TarError, zlib.error) as error:
        raise InputError(f"{path} cannot be read: {error}") from error


def _rows(content: bytes, name: str, layout: Layout, path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Return images and labels of one file of the binary version: rows of label bytes and 3,072 pixels."""
    width = layout.label_bytes + PIXELS
    if not content or len(content) % width:
        raise InputError(f"{path}: {name} has {len(content)} bytes, not a number of rows of {width}")
    table = np.frombuffer(content, np.uint8).reshape(-1, width)
    return _shaped(table[:, layout.label_bytes :]), table[:, layout.label_bytes - 1].astype(np.int64)


def _pickled(content: bytes, name: str, layout: Layout, path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Return images and labels of one batch of the Python version."""
    batch = _loaded(content, name, path)
    data, labels = batch.get(b"data"), batch.get(layout.label_key)
    if not isinstance(data, Pixels) or not isinstance(labels, list):
        raise InputError(f"{path}: {name} holds no data or no {layout.label_key.decode()}")
    table = data.table()
    if table is None or len(table) != len(labels) or not all(type(y) is int and 0 <= y < 256 for y in labels):
        raise InputError(f"{path}: {name} must hold rows of {PIXELS} bytes and a label in 0..255 for each")
    return _shaped(table), np.array(labels, dtype=np.int64)


def _shaped(table: np.ndarray) -> np.ndarray:
    # A copy: what a buffer lends cannot be written to.
    return np.array(table, order="C").reshape(-1, 3, 32, 32)


def _names(content: bytes, layout: Layout, path: Path) -> tuple[str, ...]:
    names = _loaded(content, layout.names, path).get(layout.names_key)
    if not isinstance(names, list) or not all(isinstance(item, bytes | str) for item in names):
        raise InputError(f"{path}: {layout.names} holds no {layout.names_key.decode()}")
    return tuple(item.decode("ascii", "replace") if isinstance(item, bytes) else item for item in names)


class Element:
    """What stands for a numpy data type while a batch is read: its code, and nothing that it could do."""

    __slots__ = ("code",)

    def __init__(self, code: Any = None, *_: Any):
        self.code = code

    def __setstate__(self, state: Any) -> None:
        """Take no notice of byte order and alignment: bytes have none."""


class Pixels:
    """What stands for a numpy array while a batch is read: its state is kept, and looked at afterwards."""

    __slots__ = ("state",)

    def __init__(self, *_: Any):
        self.state: Any = None

    def __setstate__(self, state: Any) -> None:
        self.state = state

    def table(self) -> np.ndarray | None:
        """Return the rows (N, 3072) of bytes that the state describes, or None when it describes anything else."""
        if not isinstance(self.state, tuple) or len(self.state) != 5:
            return None
        _, shape, element, columns_first, raw = self.state
        if not isinstance(element, Element) or element.code not in ("u1", b"u1") or not isinstance(raw, bytes):
            return None
        if not isinstance(shape, tuple) or len(shape) != 2 or not all(type(number) is int for number in shape):
            return None
        if shape[1] != PIXELS or math.prod(shape) != len(raw):
            return None
        return np.frombuffer(raw, np.uint8).reshape(shape, order="F" if columns_first else "C")


HOMES = ("numpy", "numpy.core.multiarray", "numpy._core.multiarray")
STAND_INS = {"_reconstruct": Pixels, "ndarray": Pixels, "dtype": Element}


class Reader(pickle.Unpickler):
    """An unpickler that knows three names of numpy, puts harmless stand-ins for them, and refuses all others."""

    def find_class(self, module: str, name: str) -> type:
        """Return the stand-in for a name of numpy; raises UnpicklingError for any other."""
        if module not in HOMES or name not in STAND_INS:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}, which no batch needs")
        return STAND_INS[name]


def _loaded(content: bytes, name: str, path: Path) -> dict:
    """Return the dictionary that a pickle holds; raises InputError for any other content."""
    try:
        _check_memory(content)
        found = Reader(io.BytesIO(content), encoding="bytes").load()
    except BROKEN as error:
        _refuse(path, name, error)
    if not isinstance(found, dict):
        raise InputError(f"{path}: {name} holds a {type(found).__name__}, not a batch")
    # Python 3 writes the keys as text, the publisher's Python 2 as bytes.
    return {key.encode() if isinstance(key, str) else key: value for key, value in found.items()}


def _check_memory(content: bytes) -> None:
    """Raise before a few bytes make the unpickler ask for gigabytes: lengths and memo numbers beyond the content."""
    # genops itself refuses a length that the content does not have.
    for operation, argument, _ in pickletools.genops(content):
        if operation.name in ("PUT", "BINPUT", "LONG_BINPUT") and argument > len(content):
            raise pickle.UnpicklingError(f"it asks for {argument} places to remember, more than it has bytes")


def _refuse(path: Path, name: str, error: Exception) -> NoReturn:
    first = (str(error).splitlines() or [type(error).__name__])[0]
    raise InputError(f"{path}: {name} is refused as a pickle: {first}") from error
