"""Parameters of lr-sms: presets, and what is refused before anything heavy starts."""

import pytest

from tenfold.errors import InputError
from tenfold.papers.lr_sms import Parameters
from tenfold.papers.lr_sms.parameters import AUTO, CORPORA
from tenfold.runner.parameters import SCALES, resolve
from tenfold.speech import corpora


@pytest.mark.parametrize("scale", SCALES)
def test_every_preset_holds_what_claims_are_about(scale):
    p = resolve(Parameters, scale)
    assert {0.12, 0.5} <= set(p.shares) and p.rho_attention == 0.12
    assert p.replicates >= (1 if scale == "smoke" else 3)
    assert len(Parameters.specs()) <= 30


def test_the_corpora_are_those_of_the_room():
    assert set(CORPORA) == {AUTO, *corpora.NAMES}


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"d": 60}, "8 divides"),
        ({"kernel": 14}, "odd"),
        ({"snr": (5.0,)}, "snr"),
        ({"snr": (9.0, 1.0)}, "snr"),
        ({"rho_ff": 1.0}, "rho_ff"),
        ({"rho_attention": 0.0}, "rho_attention"),
        ({"shares": (0.5, 0.12)}, "increase"),
        ({"shares": (0.12, 1.5)}, "between"),
        ({"shares": (0.02, 0.5)}, "0.12"),
        ({"rates": (1.0, 2.0)}, "leave out 1"),
        ({"rates": ()}, "rates"),
        ({"data": "manifest"}, "folder=FILE"),
        ({"folder": "nowhere"}, "nothing at"),
        ({"data": "fsd"}, "fsdd"),
    ],
)
def test_what_cannot_be_is_refused_with_its_name(wrong, words):
    with pytest.raises(InputError, match=words):
        resolve(Parameters, "laptop", 0, wrong)


def test_a_folder_is_kept_as_an_absolute_path(tmp_path, monkeypatch):
    (tmp_path / "mine").mkdir()
    monkeypatch.chdir(tmp_path)
    assert resolve(Parameters, "smoke", 0, {"folder": "mine"}).folder == str((tmp_path / "mine").resolve())


def test_paper_scale_without_a_gpu_stops_before_anything_starts():
    from tenfold.papers.lr_sms import results

    class Nothing:
        parameters = resolve(Parameters, "paper", 0, {"device": "cpu"})

        def start(self, *_, **__):
            raise AssertionError("work has begun")

    with pytest.raises(InputError, match="GPU"):
        results.Results(Nothing())
