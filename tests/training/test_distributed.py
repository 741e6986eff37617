"""Two processes train what one trains, and one of them writes."""

import faulthandler
import os
import socket
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import torch
from torch import nn

from tenfold import project
from tenfold.training import Recipe, Resident, Rule, fit
from tenfold.training.distributed import Group, join
from tests.training.stacks import images, stack

pytestmark = pytest.mark.xdist_group("training-distributed")

SEEDS = [0, 1]
# 50 rows: batches of 15, 15, 15 and 5, so that the shares of two processes are never equal.
RECIPE = Recipe(epochs=3, batch=15, lr=0.05, clip=(None, 0.5))


class Norms(Rule):
    """Keeps the norms of the gradients, which every process must see alike."""

    def __init__(self):
        self.found = []

    def after_backward(self, run):
        self.found.append(run.grad_norms.clone())


class Odd(nn.Module):
    """A network with a parameter that is not used, and a buffer that sees the rows of its own process only."""

    def __init__(self, model):
        super().__init__()
        self.model, self.replicas = model, model.replicas
        self.idle = nn.Parameter(torch.ones(self.replicas))
        self.register_buffer("seen", torch.zeros(self.replicas))

    def forward(self, x):
        if self.training:
            self.seen += x.detach().flatten(1).sum(1)
        return self.model(x)


def train(folder, rank=0):
    """Train and write what this process saw."""
    # Other weights on every process but the first, whose weights count.
    model = Odd(stack([seed + 10 * rank for seed in SEEDS], "mlp", batch_norm=False))
    norms, seen = Norms(), []
    options = {"test": images(seed=3), "checkpoint": folder / f"run-{rank}.pt", "progress": seen.append}
    history = fit(model, Resident(*images()), RECIPE, SEEDS, rules=[norms], **options)
    history.drop(columns="seconds").to_csv(folder / f"history-{rank}.csv", index=False)
    torch.save({"model": model.state_dict(), "norms": norms.found, "reports": len(seen)}, folder / f"state-{rank}.pt")


def read(folder, rank):
    history = pd.read_csv(folder / f"history-{rank}.csv")
    return history, torch.load(folder / f"state-{rank}.pt", weights_only=True)


@pytest.fixture(scope="module")
def together(tmp_path_factory):
    """The folder in which two processes have trained together."""
    folder = tmp_path_factory.mktemp("together")
    # What torchrun sets, without the seconds that it takes to start itself.
    places = os.pathsep.join([str(project.root()), str(project.root() / "src")])
    common = {"PYTHONPATH": places, "OMP_NUM_THREADS": "1", "WORLD_SIZE": "2"}
    common |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port())}
    processes = [
        subprocess.Popen(
            [sys.executable, __file__, str(folder)],
            env=os.environ | common | {"RANK": str(rank), "LOCAL_RANK": str(rank)},
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(2)
    ]
    try:
        for process in processes:
            error = process.communicate(timeout=240)[1]
            assert process.returncode == 0, error
    finally:
        for process in processes:
            process.kill()
    return folder


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def test_two_processes_equal_one(together, tmp_path):
    train(tmp_path)
    history, state = read(tmp_path, 0)
    for rank in range(2):
        shared, found = read(together, rank)
        pd.testing.assert_frame_equal(shared, history, rtol=1e-5, check_exact=False)
        # The mean of what both have seen, which one process sees alone.
        found["model"]["seen"] *= 2
        torch.testing.assert_close(found["model"], state["model"], rtol=1e-4, atol=1e-6)
        torch.testing.assert_close(found["norms"], state["norms"], rtol=1e-4, atol=1e-6)


def test_both_processes_end_with_the_same_bits(together):
    (one, first), (other, second) = (read(together, rank) for rank in range(2))
    assert one.equals(other)
    torch.testing.assert_close(first["model"], second["model"], rtol=0, atol=0)


def test_the_first_process_alone_writes_and_reports(together):
    assert [read(together, rank)[1]["reports"] for rank in range(2)] == [3, 0]
    assert [item.name for item in together.glob("run*")] == ["run-0.pt"]


def test_one_process_goes_on_with_the_checkpoint_of_two(together):
    model = Odd(stack(SEEDS, "mlp", batch_norm=False))
    path = together / "run-0.pt"
    history = fit(model, Resident(*images()), RECIPE, SEEDS, rules=[Norms()], checkpoint=path)
    assert history.drop(columns="seconds").shape == read(together, 0)[0].shape
    torch.testing.assert_close(model.state_dict(), read(together, 0)[1]["model"], rtol=0, atol=0)


def test_without_torchrun_a_process_is_alone(monkeypatch):
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    assert join(torch.device("cpu")) == Group(0, 1)
    monkeypatch.setenv("WORLD_SIZE", "1")
    monkeypatch.setenv("RANK", "0")
    assert join(torch.device("cpu")) == Group(0, 1)


if __name__ == "__main__":
    # Where a process waits for one that is gone, the test shows in which line.
    faulthandler.dump_traceback_later(200, exit=True)
    torch.set_num_threads(1)
    train(Path(sys.argv[1]), int(os.environ["RANK"]))
