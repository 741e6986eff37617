"""`tenfold.datasets` is asked at every command: it must not drag numpy or the network in."""

import subprocess
import sys

HEAVY = "numpy pooch requests tqdm filelock yaml rich tomllib"


def test_import_is_light():
    program = f"import sys, tenfold.datasets; print(*set({HEAVY!r}.split()) & set(sys.modules))"
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == ""


def test_fingerprint_is_light():
    program = (
        "import sys; from tenfold.datasets import datasets, fingerprint\n"
        "for name in datasets(): fingerprint(name)\n"
        "print(*{'numpy', 'pooch', 'requests', 'tqdm'} & set(sys.modules))"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == ""
