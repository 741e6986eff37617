"""Language models: domains of text, questions and scores, tokens and windows, perplexity, tiny models, LoRA."""

from tenfold.language.arithmetic import evaluate
from tenfold.language.documents import Document
from tenfold.language.domains import EMBEDDED, REAL, Domain, at_hand, domain, sources
from tenfold.language.generation import generate
from tenfold.language.llama import LINEARS, blocks, linears, load, load_tokenizer, shape, tiny
from tenfold.language.lora import LoRALinear, attach, load_adapter, merge
from tenfold.language.perplexity import bits_per_byte, losses, perplexity
from tenfold.language.pretraining import SIZES, pretrained, restore, sizes
from tenfold.language.questions import document, pair, steps
from tenfold.language.shards import fingerprint
from tenfold.language.tasks import choice_accuracy, parse, prompt, right, score
from tenfold.language.tokenizer import from_json, to_json, train_tokenizer
from tenfold.language.windows import Windows, calibration_windows, held_out, pack, stream_windows

__all__ = [
    "EMBEDDED",
    "LINEARS",
    "REAL",
    "SIZES",
    "Document",
    "Domain",
    "LoRALinear",
    "Windows",
    "at_hand",
    "attach",
    "bits_per_byte",
    "blocks",
    "calibration_windows",
    "choice_accuracy",
    "document",
    "domain",
    "evaluate",
    "fingerprint",
    "from_json",
    "generate",
    "held_out",
    "linears",
    "load",
    "load_adapter",
    "load_tokenizer",
    "losses",
    "merge",
    "pack",
    "pair",
    "parse",
    "perplexity",
    "pretrained",
    "prompt",
    "restore",
    "right",
    "score",
    "shape",
    "sizes",
    "sources",
    "steps",
    "stream_windows",
    "tiny",
    "to_json",
    "train_tokenizer",
]
