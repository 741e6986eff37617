"""Pruning of checkpoints by two processes, and of one that is larger than the memory allowed."""

import json
import multiprocessing
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from tenfold import project
from tenfold.language.llama import tiny
from tenfold.language.windows import Windows
from tenfold.pruning.protocol import prune
from tenfold.pruning.streaming import prune_checkpoint
from tests.pruning.checkpoints import padded, save, stored, weights

pytestmark = pytest.mark.xdist_group("pruning-processes")


def run(*arguments):
    """Run this file as a script, which must end well."""
    places = os.pathsep.join([str(project.root()), str(project.root() / "src")])
    environment = os.environ | {"PYTHONPATH": places, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, __file__, *map(str, arguments)]
    done = subprocess.run(command, env=environment, stderr=subprocess.PIPE, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return str(listener.getsockname()[1])


def test_two_processes_prune_what_one_does(tmp_path):
    source, windows = save(tmp_path / "dense"), padded()
    run("together", source, tmp_path)
    for method in ("wanda", "sparsegpt"):
        alone = prune(weights(source), windows, method, 0.5, batch=1).state_dict()
        together = stored(tmp_path / method)
        # Sums over two processes round differently, which may turn a near tie; half of the windows alone turns many.
        moved = sum(int(((value == 0) != (together[name] == 0)).sum()) for name, value in alone.items())
        assert moved <= 4
        for name, value in alone.items():
            either = (value == 0) | (together[name] == 0)
            torch.testing.assert_close(together[name][~either], value[~either], rtol=1e-3, atol=1e-5)
        parts = {name: getattr(windows, name)[::2] for name in ("ids", "attend", "count")}
        half = prune(weights(source), Windows(**parts), method, 0.5, batch=1).state_dict()
        assert sum(int(((value == 0) != (half[name] == 0)).sum()) for name, value in alone.items()) > 100
    assert {path.name for path in tmp_path.iterdir()} == {"dense", "wanda", "sparsegpt"}


def together(source, folder):
    """Start two processes with what torchrun gives them; forked, they need not import everything again."""
    from transformers import AutoModelForCausalLM  # noqa: F401

    port = free_port()
    context = multiprocessing.get_context("fork" if sys.platform == "linux" else "spawn")
    processes = [context.Process(target=share, args=(rank, port, source, folder)) for rank in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(100)
    assert [process.exitcode for process in processes] == [0, 0]


def share(rank, port, source, folder):
    """Prune as one process of two."""
    common = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    os.environ |= common | {"RANK": str(rank), "LOCAL_RANK": str(rank)}
    for method in ("wanda", "sparsegpt"):
        prune_checkpoint(source, folder / method, padded(), method, 0.5)
        assert (folder / method / "config.json").is_file()  # for every process, not only the one that writes


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits the data of a process")
def test_a_model_larger_than_the_memory_allowed_is_pruned(tmp_path):
    run("limited", tmp_path)


LARGE = {"vocabulary": 300, "hidden": 512, "intermediate": 1376, "layers": 20, "heads": 4, "context": 64}


def limited(folder):
    """Prune 255 MB of weights with 100 MB to spare, which loading them exceeds."""
    import resource

    torch.set_num_threads(1)
    large, small = folder / "large", save(folder / "small")
    with torch.device("meta"):
        shapes = {name: value.shape for name, value in tiny(**LARGE).state_dict().items()}
    write_large(large, shapes)
    (large / "config.json").write_text(json.dumps(json.loads((small / "config.json").read_text()) | entries()))
    ids = torch.randint(300, (4, 32), generator=torch.Generator().manual_seed(0))
    prune_checkpoint(small, folder / "first", ids, "wanda", 0.5)  # what is imported and set up once
    bytes_of_weights = sum(path.stat().st_size for path in large.glob("*.safetensors"))
    limit = held() + 100 * 2**20
    assert bytes_of_weights > 240 * 2**20
    resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
    prune_checkpoint(large, folder / "sparse", ids, "wanda", 0.5)
    try:
        prune(weights(large), ids, "wanda", 0.5, inplace=True)
    except (RuntimeError, MemoryError, OSError):
        return
    raise AssertionError("the limit did not bind: the whole model fitted")


def held():
    """Bytes of data of this process, as the limit counts them."""
    return next(int(line.split()[1]) * 1024 for line in Path("/proc/self/status").open() if line.startswith("VmData"))


def entries():
    names = {"hidden": "hidden_size", "intermediate": "intermediate_size", "layers": "num_hidden_layers"}
    return {name: LARGE[size] for size, name in names.items()} | {
        "num_attention_heads": 4,
        "num_key_value_heads": 4,
        "head_dim": 128,
    }


def write_large(folder, shapes):
    """Write a shard with random weights for each block."""
    folder.mkdir()
    generator, places = torch.Generator().manual_seed(0), {}
    values = {}
    for block in (*range(LARGE["layers"]), None):
        prefix = f"model.layers.{block}."
        names = [n for n in shapes if n.startswith(prefix)] if block is not None else sorted(shapes.keys() - places)
        kinds = {n: n.removeprefix(prefix) for n in names}
        for name, kind in kinds.items():
            if kind not in values:
                values[kind] = torch.randn(shapes[name], generator=generator) * 0.02
        save_file({n: values[kind] for n, kind in kinds.items()}, folder / f"{block}.safetensors")
        places |= dict.fromkeys(names, f"{block}.safetensors")
    (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": places}))


if __name__ == "__main__":
    {"together": together, "limited": limited}[sys.argv[1]](*map(Path, sys.argv[2:]))
