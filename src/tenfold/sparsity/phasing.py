"""The phasing of dynamic activations into plain ReLU, epoch by epoch."""

from __future__ import annotations

from tenfold.errors import InputError
from tenfold.nets import hyperfunction_parameters, set_beta
from tenfold.sparsity.schedules import phase_beta
from tenfold.training import Rule, Run


class Phasing(Rule):
    """Sets beta of every DyReLU before each epoch: 1 before `start`, linearly to 0 at `end`, 0 after.

    start, end: epochs, counted from 1, not necessarily whole; arXiv 2411.13545 takes s = m/2 and e = m - 1 for the
    epoch m of the first drop of the learning rate. `freeze`: from the first epoch >= s on the hyperfunctions no longer
    learn (its code compares epoch == s, which never holds for s = 62.5). Raises InputError for end < start.
    """

    def __init__(self, start: float, end: float, freeze: bool = False):
        if end < start:
            raise InputError(f"phasing cannot end ({end}) before it starts ({start})")
        self.begin, self.end, self.freeze = start, end, freeze

    def epoch(self, run: Run) -> None:
        """Set beta, and freeze if it is time."""
        set_beta(run.model, phase_beta(run.epoch, self.begin, self.end))
        if self.freeze and run.epoch >= self.begin:
            for parameter in hyperfunction_parameters(run.model):
                parameter.requires_grad_(False)
