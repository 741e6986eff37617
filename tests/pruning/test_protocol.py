"""The sequential protocol: against whole-model passes with hooks, and what it must leave alone."""

import copy
import math

import pytest
import torch

from tenfold.errors import InputError
from tenfold.language.llama import LINEARS, blocks, linears, tiny
from tenfold.language.windows import Windows
from tenfold.pruning import METHODS, achieved_sparsity, block_inputs, forward_block, prune, prune_linears
from tenfold.pruning.activations import AttentionMasks

VOCABULARY = 96


def seeded(seed):
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def model():
    net = tiny(VOCABULARY, 32, 48, 3, 4, 24, seed=1)
    with torch.no_grad():  # norms and maps of random size: otherwise every input of a map is about as large
        for name, part in net.named_parameters():
            if "norm" in name:
                part.mul_(torch.rand(part.shape, generator=seeded(len(name))) * 2 + 0.1)
            elif "proj" in name:
                part.mul_(6)
    return net


@pytest.fixture(scope="module")
def ids():
    return torch.randint(0, VOCABULARY, (10, 16), generator=seeded(2))


@pytest.fixture(scope="module")
def padded(ids):
    real = torch.arange(16) >= torch.randint(0, 12, (10, 1), generator=seeded(3))
    return Windows(ids=ids.masked_fill(~real, 0), attend=real, count=real, real=real)


def weights(net):
    return {
        (i, name): part.weight.detach() for i, block in enumerate(blocks(net)) for name, part in linears(block).items()
    }


def received(net, block, windows):
    """What each map of a block receives when the library itself runs the whole model; tokens that count."""
    found, hooks = {}, []
    for name, part in linears(block).items():
        hooks.append(part.register_forward_pre_hook(lambda _, args, name=name: found.update({name: args[0]})))
    mask = None if windows.attend is None else windows.attend.long()
    with torch.no_grad():
        net(windows.ids, attention_mask=mask, use_cache=False)
    for hook in hooks:
        hook.remove()
    count = torch.ones_like(windows.ids, dtype=torch.bool) if windows.count is None else windows.count
    return {name: x[count].double() for name, x in found.items()}


def wanda_written_out(net, windows, sparsity):
    """Block after block, the whole model run anew each time; stable sorts of the scores in float64."""
    net = copy.deepcopy(net)
    for block in blocks(net):
        found = received(net, block, windows)
        for name, part in linears(block).items():
            scores = part.weight.detach().double().abs() * found[name].square().sum(0).sqrt()
            order = scores.argsort(dim=1, stable=True)[:, : math.floor(sparsity * scores.shape[1])]
            part.weight.detach().scatter_(1, order, 0)
    return net


def agreement(first, second):
    first, second = weights(first), weights(second)
    same = [(first[key] == 0) == (second[key] == 0) for key in first]
    return sum(int(part.sum()) for part in same) / sum(part.numel() for part in same)


@pytest.mark.parametrize("batch", [3, 16])
def test_wanda_equals_whole_model_passes(model, ids, batch):
    expected = wanda_written_out(model, Windows.of(ids), 0.5)
    assert agreement(prune(model, ids, "wanda", 0.5, batch=batch), expected) > 0.9998


def test_padding_neither_counts_nor_is_attended_to(model, padded):
    expected = wanda_written_out(model, padded, 0.5)
    found = prune(model, padded, "wanda", 0.5, batch=4)
    assert agreement(found, expected) > 0.9998
    counted = prune(model, Windows(ids=padded.ids), "wanda", 0.5)
    assert agreement(found, counted) < 0.99


def test_sparsegpt_uses_the_moments_of_the_dense_block_on_pruned_inputs(model, ids):
    from tenfold.pruning import sparsegpt

    expected = copy.deepcopy(model)
    for block in blocks(expected):
        found = received(expected, block, Windows.of(ids))
        for name, part in linears(block).items():
            part.weight.detach().copy_(sparsegpt(part.weight, (found[name].T @ found[name]).float() / 5, 0.6))
    pruned = prune(model, ids, "sparsegpt", 0.6)
    assert agreement(pruned, expected) > 0.9998
    for key, weight in weights(pruned).items():
        assert (weight - weights(expected)[key]).abs().mean() < 1e-4 * weight.abs().mean()


def test_later_blocks_see_the_pruned_ones(model, ids):
    """Ratios of zero in the first blocks leave them dense, so the last one is pruned by other inputs."""
    all_pruned, alone = prune(model, ids, "wanda", 0.7), prune(model, ids, "wanda", 0, layer_ratios=[0, 0, 0.7])
    key = (2, "up_proj")
    assert not torch.equal(weights(all_pruned)[key] == 0, weights(alone)[key] == 0)
    assert torch.equal(weights(alone)[0, "q_proj"], weights(model)[0, "q_proj"])


@pytest.mark.parametrize("method", METHODS)
def test_only_the_seven_maps_change_and_the_model_given_stays(model, ids, method):
    before = copy.deepcopy(model.state_dict())
    found = prune(model, ids, method, 0.5).state_dict()
    assert all(torch.equal(part, before[name]) for name, part in model.state_dict().items())
    changed = {name.split(".")[-2] for name, part in found.items() if not torch.equal(part, before[name])}
    assert changed == set(LINEARS)
    assert not any(module._forward_pre_hooks for module in model.modules())


@pytest.mark.parametrize("method", METHODS)
def test_sparsity_zero_changes_nothing(model, ids, method):
    found = prune(model, ids, method, 0.0)
    assert all(torch.equal(part, weights(model)[key]) for key, part in weights(found).items())


@pytest.mark.parametrize(
    ("method", "share"),
    [
        ("random", lambda rows, columns: math.floor(0.6 * rows * columns) / (rows * columns)),
        ("magnitude", lambda rows, columns: (math.floor(0.6 * rows * columns) + 1) / (rows * columns)),
        ("wanda", lambda rows, columns: math.floor(0.6 * columns) / columns),
        ("sparsegpt", lambda rows, columns: (math.floor(0.6 * rows * columns) + 1) / (rows * columns)),
    ],
)
def test_achieved_sparsity(model, ids, method, share):
    found = achieved_sparsity(prune(model, ids, method, 0.6))
    shapes = {key: part.shape for key, part in weights(model).items()}
    assert list(zip(found.block, found.linear, strict=True)) == list(shapes)
    for row in found.itertuples():
        rows, columns = shapes[row.block, row.linear]
        assert row.weights == rows * columns
        assert row.sparsity == pytest.approx(share(rows, columns), abs=1e-12)


@pytest.mark.parametrize("method", ["random", "magnitude", "wanda", "sparsegpt"])
def test_groups_for_all_blocks_and_one_pair_each(model, ids, method):
    for nm in ((2, 4), [(2, 4), (3, 8), (5, 8)]):
        pairs = [nm] * 3 if isinstance(nm, tuple) else nm
        for (block, _), part in weights(prune(model, ids, method, 0.9, nm)).items():
            zeros, size = pairs[block]
            assert ((part == 0).reshape(-1, size).sum(1) == zeros).all()


def test_a_ratio_for_each_block_or_map_and_a_choice_of_maps(model, ids):
    ratios = [0.5, dict.fromkeys(LINEARS, 0.25) | {"v_proj": 0.0}, 0.75]
    found = achieved_sparsity(prune(model, ids, "wanda", 0.5, layer_ratios=ratios)).set_index(["block", "linear"])
    assert found.sparsity[0].eq(0.5).all()
    assert found.sparsity[1].drop("v_proj").eq(0.25).all()
    assert found.sparsity[1, "v_proj"] == 0
    assert found.sparsity[2].eq(0.75).all()
    some = achieved_sparsity(prune(model, ids, "sparsegpt", 0.5, linears=("q_proj", "down_proj")))
    assert set(some.linear[some.sparsity > 0]) == {"q_proj", "down_proj"}


def test_seeds_decide_random_masks_alone(model, ids):
    first, again, other = (prune(model, ids, "random", 0.5, seed=seed) for seed in (3, 3, 4))
    assert agreement(first, again) == 1
    assert agreement(first, other) < 0.6


@pytest.mark.parametrize("method", ["wanda", "sparsegpt"])
def test_same_bits_again_and_in_place(model, ids, method):
    first, second = prune(model, ids, method, 0.5), copy.deepcopy(model)
    assert prune(second, ids, method, 0.5, inplace=True) is second
    assert all(torch.equal(part, weights(second)[key]) for key, part in weights(first).items())


def test_rescaling_that_keeps_the_function_keeps_wanda_and_moves_magnitude(model, ids):
    """Gains of some channels times 16, the columns that read them over 16: exact in floating point."""
    scaled = copy.deepcopy(model)
    for block in blocks(scaled):
        maps = linears(block)
        for norm, readers in (
            (block.input_layernorm, ("q_proj", "k_proj", "v_proj")),
            (block.post_attention_layernorm, ("gate_proj", "up_proj")),
        ):
            norm.weight.detach()[[1, 5, 20]] *= 16
            for name in readers:
                maps[name].weight.detach()[:, [1, 5, 20]] /= 16
    with torch.no_grad():
        assert torch.allclose(scaled(ids).logits, model(ids).logits, atol=1e-4)
    assert agreement(prune(model, ids, "wanda", 0.5), prune(scaled, ids, "wanda", 0.5)) == 1
    assert agreement(prune(model, ids, "magnitude", 0.5), prune(scaled, ids, "magnitude", 0.5)) < 0.99


def test_reconstruction_of_the_logits_is_best_with_sparsegpt_and_worst_by_chance(model, ids):
    """On a random model with inputs of different size; the data is that of the calibration."""
    with torch.no_grad():
        dense = model(ids).logits
        errors = {m: (prune(model, ids, m, 0.5)(ids).logits - dense).square().mean() for m in METHODS}
    assert errors["sparsegpt"] < errors["wanda"] < errors["random"]


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_models(model, ids, dtype):
    half = copy.deepcopy(model).to(dtype)
    found = prune(half, ids, "wanda", 0.5)
    assert next(found.parameters()).dtype == dtype
    assert agreement(found, prune(model, ids, "wanda", 0.5)) > 0.95
    assert achieved_sparsity(prune(half, ids, "sparsegpt", 0.5)).sparsity.between(0.5, 0.51).all()


def variants():
    from transformers import MistralConfig, MistralForCausalLM

    torch.manual_seed(0)
    config = MistralConfig(
        vocab_size=VOCABULARY,
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=8,
        max_position_embeddings=24,
        sliding_window=5,
        attn_implementation="sdpa",
    )
    return MistralForCausalLM(config).eval()


@pytest.mark.parametrize("kind", ["llama", "eager", "mistral"])
@pytest.mark.parametrize("pads", [False, True])
def test_block_after_block_is_the_models_own_pass(model, ids, padded, kind, pads):
    """Also "eager" without a mask, which alone would look into the future, and a sliding window."""
    net = variants() if kind == "mistral" else copy.deepcopy(model)
    if kind == "eager":
        net.set_attn_implementation("eager")
    windows = padded if pads else Windows.of(ids)
    hidden, masks, rotary = block_inputs(net, windows)
    start = hidden.clone()
    assert torch.equal(forward_block(blocks(net)[0], hidden, masks, rotary, keep=False), start)
    for block in blocks(net):
        hidden = forward_block(block, hidden, masks, rotary, batch=4)
    with torch.no_grad():
        mask = None if windows.attend is None else windows.attend.long()
        expected = net.model(windows.ids, attention_mask=mask, use_cache=False).last_hidden_state
        found = net.model.norm(hidden)
    real = torch.ones_like(windows.ids, dtype=torch.bool) if windows.real is None else windows.real
    assert torch.allclose(found[real], expected[real], atol=1e-5)
    assert found.isfinite().all()


def test_positions_that_may_attend_to_nothing_attend_to_themselves(model):
    attend = torch.tensor([[False, False, True, True]])
    found = AttentionMasks(model.config, 4, attend).batch(0, 1, torch.float32, torch.device("cpu"))
    assert found[0, 0].int().tolist() == [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 1, 1]]
    assert AttentionMasks(model.config, 4).batch(0, 1, torch.float32, torch.device("cpu")) is None


def test_embedded_windows_are_as_their_ids(model, ids):
    embeds = model.model.embed_tokens(ids).detach()
    kept = embeds.clone()
    assert agreement(prune(model, Windows(embeds=embeds), "wanda", 0.5), prune(model, ids, "wanda", 0.5)) == 1
    assert torch.equal(embeds, kept)


def test_grouped_queries_are_pruned(ids):
    for method in ("wanda", "sparsegpt"):
        assert achieved_sparsity(prune(variants(), ids, method, 0.5)).sparsity.between(0.5, 0.51).all()


def test_progress_and_methods_without_data(model, ids, monkeypatch):
    seen = []
    prune(model, ids, "wanda", 0.5, progress=lambda done, total: seen.append((done, total)))
    assert seen == [(1, 3), (2, 3), (3, 3)]
    monkeypatch.setattr("tenfold.pruning.protocol.forward_block", lambda *_, **__: pytest.fail("data was passed"))
    for method in ("random", "magnitude"):
        prune(model, ids, method, 0.5)


def test_dropout_is_off_while_data_passes(model, ids):
    training = copy.deepcopy(model)
    for block in blocks(training):
        block.self_attn.attention_dropout = 0.5
    training.train()
    found = prune(training, ids, "wanda", 0.5)
    assert found.training
    assert agreement(found, prune(model, ids, "wanda", 0.5)) == 1


def test_one_step_prunes_any_linear_maps(ids):
    torch.manual_seed(0)
    maps = {"first": torch.nn.Linear(8, 16), "second": torch.nn.Linear(8, 4)}
    x = torch.randn(20, 5, 8, generator=seeded(0))
    count = torch.rand(20, 5, generator=seeded(1)) > 0.5
    scores = maps["second"].weight.detach().abs() * x[count].square().sum(0).sqrt()
    run = lambda: [part(x) for part in maps.values()]  # noqa: E731
    prune_linears(maps, run, "wanda", {"first": 0.0, "second": 0.5}, count=count)
    assert maps["first"].weight.count_nonzero() == 128
    assert torch.equal(maps["second"].weight == 0, scores <= scores.kthvalue(4, dim=1, keepdim=True).values)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"method": "wonda"}, "did you mean 'wanda'"),
        ({"sparsity": 1.0}, r"\[0, 1\)"),
        ({"nm": (4, 4)}, "zeros"),
        ({"nm": (1, 5)}, "divide"),
        ({"nm": [(2, 4)]}, "1 pairs nm for 3 blocks"),
        ({"nm": (2, 4), "method": "wanda-variant"}, "no N:M"),
        ({"layer_ratios": [0.5, 0.5]}, "2 layer ratios for 3 blocks"),
        ({"layer_ratios": [{"q_proj": 0.5}] * 3}, "no sparsity is given"),
        ({"linears": ("q",)}, "unknown linear map"),
        ({"windows": torch.zeros(2, 25, dtype=torch.int64)}, "context of 24"),
        ({"windows": torch.full((2, 8), VOCABULARY)}, "another tokenizer"),
        ({"windows": torch.zeros(2, 8, 31)}, "width 31"),
        ({"batch": 0}, "at least one window"),
        ({"model": torch.nn.Linear(2, 2)}, "Linear"),
    ],
)
def test_what_does_not_fit(model, ids, change, message):
    before = copy.deepcopy(model.state_dict())
    arguments = {"model": model, "windows": ids, "method": "wanda", "sparsity": 0.5, "inplace": True} | change
    with pytest.raises(InputError, match=message):
        prune(**arguments)
    assert all(torch.equal(part, before[name]) for name, part in model.state_dict().items())


def test_attention_that_is_not_known_and_values_that_are_not_finite(model, ids):
    other = copy.deepcopy(model)
    other.config._attn_implementation = "flash_attention_2"
    with pytest.raises(InputError, match="flash_attention_2"):
        prune(other, ids, "wanda", 0.5)
    broken = copy.deepcopy(model)
    blocks(broken)[1].input_layernorm.weight.detach()[3] = math.inf
    with pytest.raises(InputError, match="not finite"):
        prune(broken, ids, "wanda", 0.5)
