"""Generation: what a model says after prompts, in padded batches with a cache of keys and values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from tenfold.errors import InputError, unknown
from tenfold.language.llama import context_of, evaluating

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

DECODING = ("greedy", "sampling")


@torch.no_grad()
def generate(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    prompts: Sequence[str] | Tensor,
    max_new_tokens: int,
    batch: int = 32,
    decoding: str = "greedy",
    temperature: float = 0.6,
    top_p: float = 0.9,
    top_k: int = 50,
    seed: int = 0,
    attend: Tensor | None = None,
) -> list[str]:
    """Return what a model says after each prompt: texts, or embedded vectors (n, T, d) with attend (n, T), bool.

    Prompts are padded on the left and never attended to there; an answer ends after `max_new_tokens`, or where the
    model ends or begins a text. "greedy" takes the most likely token; "sampling" draws from the most likely ones
    (`top_k` of them where it is not 0, those of probability `top_p` together) at a temperature, the same for the same
    seed and batch; its defaults are those of Llama-2-chat, as the code of arXiv 2410.07461 meets them. Raises
    InputError for an unknown decoding, for shapes that do not fit, and for a prompt that leaves the model's context no
    room for the answer.
    """
    if decoding not in DECODING:
        raise unknown("decoding", decoding, DECODING)
    if max_new_tokens < 1 or batch < 1:
        raise InputError(f"generation needs batches and answers of at least 1, not {batch} and {max_new_tokens}")
    inputs = _embedded(prompts, attend) if isinstance(prompts, Tensor) else _encoded(prompts, tokenizer)
    # Alike lengths together: short prompts need not carry the padding of long ones.
    order = sorted(range(len(inputs)), key=lambda i: len(inputs[i]))
    settings = _settings(tokenizer, max_new_tokens, decoding, temperature, top_p, top_k)
    said = [""] * len(inputs)
    # The library draws from the global generators: their states are put back afterwards.
    with torch.random.fork_rng(), evaluating(model):
        torch.manual_seed(seed)
        for start in range(0, len(order), batch):
            chosen = order[start : start + batch]
            texts = _said(model, tokenizer, [inputs[i] for i in chosen], settings)
            for i, text in zip(chosen, texts, strict=True):
                said[i] = text
    return said


def _encoded(prompts: Sequence[str], tokenizer: PreTrainedTokenizerBase) -> list[Tensor]:
    return [torch.tensor(ids) for ids in tokenizer(list(prompts))["input_ids"]] if prompts else []


def _embedded(vectors: Tensor, attend: Tensor | None) -> list[Tensor]:
    """Return the vectors of each prompt that are attended to; they must be the last ones."""
    if vectors.ndim != 3 or (attend is not None and attend.shape != vectors.shape[:2]):
        raise InputError("embedded prompts are (n, T, d), and the marks of what is attended to (n, T)")
    if attend is None:
        return list(vectors)
    if bool((attend[:, :-1] & ~attend[:, 1:]).any()):
        raise InputError("prompts are padded on the left: no position may be attended to before one that is not")
    return [rows[marks] for rows, marks in zip(vectors, attend, strict=True)]


def _settings(tokenizer, max_new_tokens, decoding, temperature, top_p, top_k) -> dict[str, Any]:
    """Return the arguments of the library's own generation."""
    ends = sorted({tokenizer.eos_token_id, tokenizer.bos_token_id} - {None})
    pad = tokenizer.pad_token_id
    settings = {"max_new_tokens": max_new_tokens, "use_cache": True, "eos_token_id": ends or None}
    settings["pad_token_id"] = (ends or [0])[0] if pad is None else pad
    if decoding == "greedy":
        return settings | {"do_sample": False, "temperature": None, "top_p": None, "top_k": None}
    return settings | {"do_sample": True, "temperature": temperature, "top_p": top_p, "top_k": top_k}


def _said(model, tokenizer, prompts: Sequence[Tensor], settings: dict[str, Any]) -> list[str]:
    """Return the answers to one batch of prompts."""
    length = max(map(len, prompts))
    context = context_of(model)
    if context is not None and length + settings["max_new_tokens"] > context:
        raise InputError(
            f"a prompt of {length} tokens and an answer of {settings['max_new_tokens']} exceed the context {context}"
        )
    if not min(map(len, prompts)):
        raise InputError("a prompt has at least one token")
    vectors = prompts[0].ndim == 2
    padded = [torch.cat([prompt.new_full((length - len(prompt), *prompt.shape[1:]), 0), prompt]) for prompt in prompts]
    stacked = torch.stack(padded).to(model.device)
    mask = torch.stack([torch.arange(length) >= length - len(prompt) for prompt in prompts]).long().to(model.device)
    inputs = {"inputs_embeds" if vectors else "input_ids": stacked, "attention_mask": mask}
    tokens = model.generate(**inputs, **settings)
    # From vectors the library returns the answer alone.
    answers = tokens if vectors else tokens[:, length:]
    return tokenizer.batch_decode(answers, skip_special_tokens=True)
