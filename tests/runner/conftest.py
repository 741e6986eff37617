import pytest

from .workbook import Workbook


@pytest.fixture
def workbook(tmp_path):
    """A toy workbook in a folder of its own."""
    return Workbook(tmp_path / "book")
