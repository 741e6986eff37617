"""Hard and informative samples: adversarial attacks."""

from tenfold.active.attacks import pgd

__all__ = ["pgd"]
