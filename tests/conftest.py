"""What every test shares: headless figures, pinned threads, and the mirror where it is at hand."""

import os

import pytest

os.environ.setdefault("MPLBACKEND", "Agg")
for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, "1")


@pytest.fixture
def mirror():
    """The folder of real data; tests that need it are skipped, and say so, where there is none."""
    from tenfold import project

    folder = project.mirror()
    if folder is None:
        pytest.skip("no mirror of real data here: set TENFOLD_MIRROR")
    return folder
