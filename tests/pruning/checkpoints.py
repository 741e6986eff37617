"""Small checkpoints on disk, and what lies in them, for several tests."""

import torch
from safetensors.torch import load_file

from tenfold.language.llama import tiny
from tenfold.language.windows import Windows

SIZES = {"vocabulary": 300, "hidden": 32, "intermediate": 48, "layers": 3, "heads": 2, "context": 64}


def save(folder, model=None, **options):
    """Write a checkpoint of several shards with a tokenizer."""
    model = tiny(**SIZES) if model is None else model
    model.save_pretrained(folder, max_shard_size="40KB", **options)
    return folder


def seeded(kind, config):
    """A model with random weights; the global generator stays as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return kind(config).eval()


def padded():
    """Seven windows, every other one padded on the left."""
    generator = torch.Generator().manual_seed(0)
    ids = torch.randint(300, (7, 20), generator=generator)
    real = torch.ones(7, 20, dtype=torch.bool)
    real[::2, :6] = False
    return Windows(ids=ids, attend=real, count=real, real=real)


def weights(folder, dtype="auto"):
    """What the library loads from a folder."""
    from transformers import AutoModelForCausalLM

    return AutoModelForCausalLM.from_pretrained(folder, dtype=dtype, attn_implementation="sdpa", local_files_only=True)


def stored(folder):
    """Every tensor that lies in a folder."""
    return {name: value for path in sorted(folder.glob("*.safetensors")) for name, value in load_file(path).items()}


def same(model, folder):
    found, wanted = stored(folder), model.state_dict()
    return found.keys() == wanted.keys() and all(torch.equal(value, found[name]) for name, value in wanted.items())
