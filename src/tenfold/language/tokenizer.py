"""A byte-level tokenizer trained on texts at hand, and its form as text."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING

from tenfold.errors import InputError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

SPECIALS = {"unk_token": "<unk>", "bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>"}  # ids 0 ... 3
LEAST = 256 + len(SPECIALS)  # every byte is a token


def train_tokenizer(texts: Iterable[str], vocabulary: int = 1024) -> PreTrainedTokenizerFast:
    """Return a byte-level BPE tokenizer with at most `vocabulary` tokens, the same for the same texts.

    Each digit is a token of its own, so that numbers are spelt alike everywhere; <s> (id 1) is put in front of every
    text, </s> is 2, <pad> 3, <unk> 0; padding goes to the left. Every text is decoded to itself. Raises InputError
    for no text and a vocabulary below 260 (256 bytes and 4 specials).
    """
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers

    texts = list(texts)
    if not any(texts):
        raise InputError("a tokenizer needs a text to be trained on")
    if vocabulary < LEAST:
        raise InputError(f"a byte-level vocabulary holds at least {LEAST} tokens, not {vocabulary}")
    tokenizer = Tokenizer(models.BPE(unk_token=SPECIALS["unk_token"]))
    digits, bytes_ = pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([digits, bytes_])
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=list(SPECIALS.values()),
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    first = SPECIALS["bos_token"]
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{first} $A", pair=f"{first} $A $B", special_tokens=[(first, tokenizer.token_to_id(first))]
    )
    return _wrapped(tokenizer)


def to_json(tokenizer: PreTrainedTokenizerFast) -> str:
    """Return a tokenizer of `train_tokenizer` as JSON text, whatever it was used for since."""
    found = json.loads(tokenizer.backend_tokenizer.to_str())
    return json.dumps(found | {"padding": None, "truncation": None}, ensure_ascii=False)


def from_json(text: str) -> PreTrainedTokenizerFast:
    """Return the tokenizer that `to_json` wrote; raises InputError for a text that holds none."""
    from tokenizers import Tokenizer

    try:
        return _wrapped(Tokenizer.from_str(text))
    except Exception as error:  # the library raises no narrower class
        raise InputError("the text holds no tokenizer") from error


def _wrapped(tokenizer) -> PreTrainedTokenizerFast:
    from transformers import PreTrainedTokenizerFast

    settings = {"padding_side": "left", "clean_up_tokenization_spaces": False}
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, **SPECIALS, **settings)
