"""Pruned drivers: zeros where they belong, the order of the parts, and what stays as it was."""

import pytest
import torch

from tenfold.errors import InputError
from tenfold.language.llama import blocks
from tenfold.language.llama import linears as maps_of
from tenfold.language.windows import Windows
from tenfold.pruning.driving import (
    SIZES,
    build_driver,
    driving_windows,
    generate,
    input_layers,
    linears,
    prune_driver,
    token_loss,
)
from tenfold.pruning.protocol import prune


@pytest.fixture(scope="module")
def driver():
    return build_driver(0, **{name: value for name, value in SIZES["smoke"].items() if name != "steps"})


@pytest.fixture(scope="module")
def scenes():
    return generate(24, 1)


def zeros(maps):
    """The share of zeros of each map."""
    return {name: 1 - linear.weight.count_nonzero().item() / linear.weight.numel() for name, linear in maps.items()}


def llm_maps(driver):
    return {
        f"{i}.{name}": module for i, block in enumerate(blocks(driver.llm)) for name, module in maps_of(block).items()
    }


def same(a, b):
    return all(torch.equal(x, y) for x, y in zip(a.state_dict().values(), b.state_dict().values(), strict=True))


@pytest.mark.parametrize("method", ["magnitude", "wanda", "sparsegpt"])
def test_each_part_has_its_zeros_and_the_other_none(driver, scenes, method):
    llm, encoder = (prune_driver(driver, part, method, 0.5, scenes) for part in ("llm", "encoder"))
    assert same(llm.encoder, driver.encoder) and same(encoder.llm, driver.llm)
    assert all(abs(share - 0.5) < 0.02 for share in zeros(llm_maps(llm)).values())
    chosen = zeros(linears(encoder.encoder, project=False, keep_input_layers=True))
    assert all(abs(share - 0.5) < 0.02 for share in chosen.values())
    assert zeros(linears(encoder.encoder))["project"] == 0
    assert all(share == 0 for share in zeros(llm_maps(encoder)).values())


def test_the_driver_itself_stays(driver, scenes):
    before = driver.clone()
    prune_driver(driver, "both", "sparsegpt", 0.6, scenes, project=True)
    assert same(driver, before)


def test_nothing_is_pruned_at_zero(driver, scenes):
    assert same(prune_driver(driver, "both", "wanda", 0.0, scenes), driver)


def test_switches_of_the_encoder(driver, scenes):
    found = prune_driver(driver, "encoder", "wanda", 0.5, scenes, keep_input_layers=True, project=True)
    assert all(share == 0 for share in zeros(input_layers(found.encoder)).values())
    assert zeros(linears(found.encoder))["project"] == pytest.approx(0.5)
    assert all(share > 0.4 for share in zeros(linears(found.encoder, keep_input_layers=True)).values())


def test_both_is_the_encoder_first_and_then_the_model_on_its_new_tokens(driver, scenes):
    both = prune_driver(driver, "both", "sparsegpt", 0.5, scenes)
    encoder = prune_driver(driver, "encoder", "sparsegpt", 0.5, scenes)
    assert same(both.encoder, encoder.encoder)
    wanted = prune(encoder.llm, driving_windows(encoder, scenes), "sparsegpt", 0.5, batch=64)
    assert same(both.llm, wanted)
    old_tokens = prune(encoder.llm, driving_windows(driver, scenes), "sparsegpt", 0.5, batch=64)
    assert not same(both.llm, old_tokens)


def test_what_fills_up_does_not_matter(driver, scenes):
    """A longer text in the calibration set makes the others longer by what does not count."""
    windows = driving_windows(driver, scenes[:6])
    extra = 5
    filled = Windows(
        embeds=torch.nn.functional.pad(windows.embeds, (0, 0, 0, extra), value=3.0),
        **{name: torch.nn.functional.pad(windows.count, (0, extra)) for name in ("attend", "count", "real")},
    )
    short, long = (prune_driver(driver, "llm", "wanda", 0.5, found) for found in (windows, filled))
    for a, b in zip(llm_maps(short).values(), llm_maps(long).values(), strict=True):
        # Sums in another order may exchange two weights of nearly equal score.
        assert ((a.weight == 0) != (b.weight == 0)).float().mean() < 0.01


def test_ratios_of_the_blocks(driver, scenes):
    found = zeros(llm_maps(prune_driver(driver, "llm", "wanda", 0.5, scenes, layer_ratios=[0.25, 0.75])))
    assert all(abs(share - (0.25, 0.75)[int(name[0])]) < 0.02 for name, share in found.items())


def test_zeros_stay_zeros_in_use(driver, scenes):
    found = prune_driver(driver, "both", "wanda", 0.5, scenes)
    before = zeros(linears(found.encoder)), zeros(llm_maps(found))
    token_loss(found, scenes)
    assert (zeros(linears(found.encoder)), zeros(llm_maps(found))) == before


def test_what_cannot_be_meant_is_refused(driver, scenes):
    windows = driving_windows(driver, scenes)
    for part, calibration, ratios, message in (
        ("head", scenes, None, "part of a driver"),
        ("both", windows, None, "calibrated with scenes"),
        ("encoder", scenes, [0.5, 0.5], "has none"),
        ("llm", windows, [0.5], "layer ratios"),
    ):
        with pytest.raises(InputError, match=message):
            prune_driver(driver, part, "wanda", 0.5, calibration, layer_ratios=ratios)
