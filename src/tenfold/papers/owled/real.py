"""The published driver: LLaMA-7B with its adapter merged, the full vector encoder, and the prompts that it knows."""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from tenfold import datasets
from tenfold.datasets.driving import Scenes
from tenfold.errors import InputError
from tenfold.language import lora
from tenfold.language.llama import load
from tenfold.pruning import driving
from tenfold.pruning.driving.driver import Driver, Inserted, insert_vectors
from tenfold.pruning.driving.encoder import VectorEncoder
from tenfold.pruning.driving.metrics import IGNORED
from tenfold.training import device

# Our own wording, for a model without an adapter: an adapter knows the prompts that it was trained with, and brings
# them along as files. Published ones have these headings (arXiv 2310.01957).
FORM = "A task, and what a car's sensors tell.\n### Instruction:\n{}\n### Input:\n\n### Response:\n"
ITEMS = {"caption": "Describe what is around the car.", "action": "Say where pedals and steering wheel go next."}
PROMPT = "prompt_{}.txt"
"""Files beside an adapter: the whole prompt of each item as it stands, to the last line break."""
MARKER = "### Input:"
"""The vector tokens stand behind it, in a line of their own; its last two tokens mark the place."""
PUBLISHED = ("adapter_model.bin", "adapter_model_lora.bin")
WEIGHTS = ("vector_encoder.safetensors", "vector_encoder.pt", "adapter_model.bin")
"""Files of a folder that may hold the encoder, the first that is there."""
LONGEST = 384
"""Tokens of an answer, as published."""

# The publisher's names of the encoder's weights, as patterns, and ours.
NAMES = (
    (r"^(?:base_model\.)?(?:model\.)?vector_encoder\.", ""),
    (r"^(?:base_model\.)?(?:model\.)?llm_proj\.", "project."),
    (r"^(ego)_vehicle_encoder\.", r"rows.\1."),
    (r"^(vehicle|pedestrian)_encoder\.", r"rows.\1s."),
    (r"^route_encoder\.", "rows.route."),
    (r"^route_embedding$", "route_position"),
    (r"^perceiver\.input_embedding$", "latents"),
    (r"^perceiver\.output_embedding$", "queries"),
    (r"^perceiver\.input_proj\.", "from_ego."),
    (r"^perceiver\.input_ff\.", "mix."),
    (r"^perceiver\.input_block\.", "read."),
    (r"^perceiver\.output_block\.", "write."),
    (r"^perceiver\.output_norm\.", "norm."),
    (r"^perceiver\.blocks\.", "blocks."),
    (r"\.attention\.to_(q|kv|out)\.", r".\1."),
    (r"\.ff\.", ".ffn."),
    (r"\.pre_norm1\.", ".norm."),
    (r"\.pre_norm2\.", ".context_norm."),
    (r"\.pre_norm3\.", ".ffn_norm."),
)


def ours(name: str) -> str:
    """Return our name of a weight of the published encoder."""
    for pattern, replacement in NAMES:
        name = re.sub(pattern, replacement, name)
    return name


class Sentences:
    """The tokenizer of a checkpoint as a driver's words: encode, decode, pad, bos, eos, digits, longest."""

    def __init__(self, tokenizer: Any):
        self.tokenizer = tokenizer
        self.bos, self.eos = tokenizer.bos_token_id, tokenizer.eos_token_id
        if self.bos is None or self.eos is None:
            raise InputError("the checkpoint's tokenizer has no <s> or no </s>")
        # LLaMA has no padding token: the publisher takes number 0, <unk>.
        self.pad = 0 if tokenizer.pad_token_id is None else tokenizer.pad_token_id
        single = [tokenizer(sign, add_special_tokens=False).input_ids[-1] for sign in "0123456789.-"]
        self.digits, self.longest = tuple(dict.fromkeys(single)), LONGEST

    def encode(self, texts: Sequence[str]) -> Tensor:
        """Return ids (n, T) of <s>, text and </s>, filled up on the right."""
        rows = [self.tokenizer(text, add_special_tokens=False).input_ids[:512] for text in texts]
        longest = max(map(len, rows)) + 2
        return torch.tensor([[self.bos, *row, self.eos, *[self.pad] * (longest - len(row) - 2)] for row in rows])

    def decode(self, ids: Tensor) -> list[str]:
        """Return the text of each row (n, T) up to its </s>."""
        return self.tokenizer.batch_decode(ids, skip_special_tokens=True)


class Instructed(Driver):
    """A driver whose answers follow an instruction; `item` is "caption" or "action".

    Where the small driver has <s>, this one has the whole prompt, vector tokens inside; nothing of it is asked for.
    """

    item = "caption"

    def __init__(self, *parts: Any, prompts: Mapping[str, str]):
        super().__init__(*parts)
        self.prompts = dict(prompts)

    def embedded(self, vectors: Tensor, ids: Tensor) -> Inserted:
        """Return the embedded batch of prompts with vector tokens (n, q, d) and answers ids (n, T), with labels."""
        prompt = self.prompt().to(ids.device).expand(len(ids), -1)
        answers = ids[:, 1:]
        whole = torch.cat([prompt, answers], dim=1)
        real = torch.cat([torch.ones_like(prompt, dtype=torch.bool), answers != self.words.pad], dim=1)
        labels = whole.masked_fill(~real, IGNORED)
        labels[:, : prompt.shape[1]] = IGNORED
        return insert_vectors(self.llm.get_input_embeddings()(whole), whole, vectors, self.marker, real, labels)

    def prompt(self) -> Tensor:
        """Return the ids (1, P) of <s> and the prompt of the item."""
        ids = self.words.tokenizer(self.prompts[self.item], add_special_tokens=False).input_ids
        return torch.tensor([[self.words.bos, *ids]])


def prompts(adapter: str) -> dict[str, str]:
    """Return the prompt of each item: those beside the adapter of a folder, our own where there is none.

    Raises InputError where a file is missing, or has no place for the vector tokens.
    """
    if not adapter:
        return {item: FORM.format(told) for item, told in ITEMS.items()}
    paths = {item: Path(adapter) / PROMPT.format(item) for item in ITEMS}
    missing = [path.name for path in paths.values() if not path.is_file()]
    if missing:
        raise InputError(
            f"adapter: {adapter} lacks {' and '.join(missing)}: each holds the whole prompt that the adapter was "
            f"trained with, '{MARKER}' where the vectors go; another wording would be another test"
        )
    found = {item: path.read_text(encoding="utf-8") for item, path in paths.items()}
    for item, text in found.items():
        if MARKER not in text:
            raise InputError(f"adapter: {paths[item].name} says nowhere '{MARKER}', behind which the vectors go")
    return found


def answers(scenes: Scenes) -> dict[str, Scenes]:
    """Return the scenes once for each item, with its answers: the caption, and the last four lines of the label."""
    captions = tuple(driving.caption(scene) for scene in scenes)
    actions = tuple("\n".join(text.split("\n")[-4:]) for text in scenes.texts)
    return {"caption": replace(scenes, texts=captions), "action": replace(scenes, texts=actions)}


def published_driver(settings: dict[str, Any]) -> Instructed:
    """Return the driver of a checkpoint: adapter merged, encoder loaded, everything on one device.

    Without an adapter the prompts are worded by us, and without a file of the encoder as well, the encoder is random.
    Raises InputError for what is not there or does not fit.
    """
    where = device(settings["device"])
    precision = "float16" if where.type == "cuda" else "float32"
    llm, tokenizer = load(settings["checkpoint"], dtype=precision, device=where)
    if settings["adapter"]:
        # Noted as used: another adapter or another prompt in the same folder is another result.
        datasets.local(Path(settings["adapter"]))
        llm = merged(llm, Path(settings["adapter"]))
    words = Sentences(tokenizer)
    encoder = encoder_of(settings, llm.config.hidden_size).to(where, llm.dtype)
    marker = tokenizer(MARKER, add_special_tokens=False).input_ids[-2:]
    return Instructed(encoder, llm, words, tuple(marker), prompts=prompts(settings["adapter"])).eval()


def merged(llm: nn.Module, folder: Path) -> nn.Module:
    """Return the language model with the adapter of a folder merged.

    The published files hold the adapter and the encoder together: the adapter is taken out of them first.
    """
    mixed = [folder / name for name in PUBLISHED if (folder / name).is_file()]
    adapted = {name: value for path in mixed for name, value in _read(path).items() if ".lora_" in name}
    if (folder / "adapter_model.safetensors").is_file() or not adapted:
        return lora.merge(lora.load_adapter(llm, folder))
    from safetensors.torch import save_file

    with tempfile.TemporaryDirectory() as place:
        shutil.copy(folder / "adapter_config.json", place)
        save_file(
            {name: value.contiguous() for name, value in adapted.items()}, Path(place) / "adapter_model.safetensors"
        )
        return lora.merge(lora.load_adapter(llm, place))


def encoder_of(settings: dict[str, Any], width: int) -> VectorEncoder:
    """Return the encoder whose weights a file holds, its sizes taken from them; random ones without a file."""
    path = _file(settings)
    if path is None:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            return VectorEncoder(llm_dim=width)
    weights = {ours(name): value.float() for name, value in _read(path).items() if _mine(name)}
    try:
        latents, queries = weights["latents"], weights["queries"]
        blocks = len({name.split(".")[1] for name in weights if name.startswith("blocks.")})
        encoder = VectorEncoder(latents.shape[1], len(latents), blocks, len(queries), width)
        encoder.load_state_dict(weights)
    except (KeyError, RuntimeError) as error:
        raise InputError(f"{path.name} does not hold the vector encoder: {str(error).splitlines()[-1]}") from error
    return encoder


def _mine(name: str) -> bool:
    return "vector_encoder." in name or "llm_proj." in name


def _file(settings: dict[str, Any]) -> Path | None:
    if settings["encoder"]:
        return Path(settings["encoder"])
    if not settings["adapter"]:
        return None
    found = [Path(settings["adapter"]) / name for name in WEIGHTS]
    there = [path for path in found if path.is_file()]
    if not there:
        raise InputError(f"{settings['adapter']} holds no weights of an encoder: give them as encoder=FILE")
    return there[0]


def _read(path: Path) -> dict[str, Tensor]:
    from pickle import UnpicklingError

    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            return load_file(path)
        return torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, ValueError, KeyError, UnpicklingError) as error:
        raise InputError(f"{path.name} is damaged, or holds more than tensors") from error
