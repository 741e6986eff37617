"""What may act on a training between its steps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tenfold.training.run import Run


class Rule:
    """Something that acts on a training at fixed moments; each method does nothing unless overridden.

    A step is: zero gradients, forward, loss, backward, `after_backward`, clipping, optimiser, `after_step`. Within
    `after_step`, run.step counts the step just taken. Several rules act in the order given.
    """

    def start(self, run: Run) -> None:
        """Act before the first epoch, with the model as given; where training resumes, the stored state follows."""

    def epoch(self, run: Run) -> None:
        """Act before the first step of an epoch."""

    def after_backward(self, run: Run) -> None:
        """Act on the gradients, summed over processes and not yet clipped."""

    def after_step(self, run: Run) -> None:
        """Act on weights and optimiser state; gradients are still there."""

    def finish(self, run: Run) -> None:
        """Act after the last epoch."""

    def identity(self) -> Any:
        """Return the settings that a training which resumes must share, as plain as a state."""
        return None

    def state_dict(self) -> dict[str, Any]:
        """Return what a checkpoint must hold: tensors, numbers, strings, None, and lists and dicts of these."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take up the state of `state_dict`."""
