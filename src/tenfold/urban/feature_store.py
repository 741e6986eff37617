"""Text features on disk, so that no text is encoded twice by the same weights."""

from __future__ import annotations

import contextlib
import hashlib
import zipfile
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tenfold import files


@dataclass(frozen=True)
class FeatureStore:
    """Rows of `width` float32 by the SHA-256 of their text, in up to 16 npz files of one folder.

    A folder belongs to one encoder. A file that cannot be read counts as absent, one that cannot be written is left:
    either only costs the time of encoding again. Files are whole or absent; of two processes that write
    at once the last one stays.
    """

    folder: Path
    width: int

    def read(self, texts: Iterable[str]) -> dict[str, NDArray]:
        """Return the features of those of `texts` that are stored."""
        found = {}
        for shard, keys in _shards(texts).items():
            stored = self._load(shard)
            found |= {text: stored[key] for key, text in keys.items() if key in stored}
        return found

    def write(self, features: Mapping[str, NDArray]) -> None:
        """Add the features of these texts to what is stored."""
        for shard, keys in _shards(features).items():
            stored = self._load(shard) | {key: features[text] for key, text in keys.items()}
            with contextlib.suppress(OSError), files.atomic(self._path(shard)) as temporary:
                np.savez(temporary, keys=np.array(list(stored)), features=np.stack(list(stored.values())))

    def _path(self, shard: str) -> Path:
        return self.folder / f"{shard}.npz"

    def _load(self, shard: str) -> dict[str, NDArray]:
        try:
            with np.load(self._path(shard), allow_pickle=False) as arrays:
                keys, features = arrays["keys"], arrays["features"]
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
            return {}
        if features.shape != (len(keys), self.width) or features.dtype != np.float32:
            return {}
        return dict(zip(keys.tolist(), features, strict=True))


def _shards(texts: Iterable[str]) -> dict[str, dict[str, str]]:
    """Return {first digit of the hash: {hash: text}}."""
    shards: dict[str, dict[str, str]] = defaultdict(dict)
    for text in texts:
        key = hashlib.sha256(text.encode()).hexdigest()
        shards[key[0]][key] = text
    return shards
