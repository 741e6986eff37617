"""A driver: where its vectors go, what its loss counts, what it says, and its words."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from tenfold.errors import InputError
from tenfold.pruning.driving import (
    SIZES,
    Driver,
    build_driver,
    describe,
    driving_windows,
    generate,
    insert_vectors,
    restore_driver,
    tensors,
    token_loss,
    train_driver,
    training,
    vocabulary,
)

SMALL = {name: value for name, value in SIZES["smoke"].items() if name != "steps"}


@pytest.fixture(scope="module")
def driver():
    return build_driver(0, **SMALL)


def test_vectors_go_three_behind_the_marker_and_behind_the_start_without_one():
    ids = torch.tensor([[1, 8, 9, 3, 4, 5], [1, 2, 3, 4, 5, 6], [8, 9, 2, 3, 8, 9]])
    embeds = ids[..., None].float() * torch.ones(4)
    vectors = -torch.arange(1.0, 13).view(3, 2, 2).repeat(1, 1, 2)
    labels, attend = ids * 10, torch.ones(3, 6, dtype=torch.bool)
    attend[1, 5] = False
    found = insert_vectors(embeds, ids, vectors, (8, 9), attend, labels)
    assert found.embeds.shape == (3, 8, 4)
    for row, place in enumerate((4, 1, 3)):
        assert torch.equal(found.embeds[row, place : place + 2], vectors[row])
        assert found.labels[row, place : place + 2].tolist() == [-100, -100]
        assert found.attend[row, place : place + 2].all()
        rest = [i for i in range(8) if i not in (place, place + 1)]
        assert torch.equal(found.embeds[row, rest], embeds[row])
        assert torch.equal(found.labels[row, rest], labels[row])
        assert torch.equal(found.attend[row, rest], attend[row])
    for row in insert_vectors(embeds, ids, vectors, None).embeds[:, 1:3].eq(vectors):
        assert row.all()


def test_vectors_of_another_width_are_refused():
    with pytest.raises(InputError, match="do not fit"):
        insert_vectors(torch.zeros(1, 3, 4), torch.zeros(1, 3, dtype=torch.long), torch.zeros(1, 2, 5), None)


def test_words_go_to_numbers_and_back():
    words, texts = vocabulary(), generate(400, 2).texts
    ids = words.encode(texts)
    assert words.decode(ids) == list(texts)
    assert ids.shape[1] <= words.longest
    longest = (
        "I'm observing 6 cars and 7 pedestrians.\nThere is a traffic light and it is red+yellow. It is 30m ahead.\n"
        "- Accelerator pedal 100%\n- Brake pedal 0%\n- Going to steer 100% to the right."
    )
    assert words.encode([longest]).shape == (1, words.longest)
    with pytest.raises(InputError, match="does not know"):
        words.encode(["I'm observing 2 trams"])


def test_loss_does_not_depend_on_the_batch_or_on_what_fills_up(driver):
    scenes = generate(30, 3)
    whole = token_loss(driver, scenes)
    assert token_loss(driver, scenes, batch=7) == pytest.approx(whole, rel=1e-5)
    assert whole != pytest.approx(token_loss(driver, scenes, digit_weight=1), rel=1e-3)


def test_loss_is_that_of_each_token_written_out(driver):
    scenes = generate(1, 4)
    ids = driver.words.encode(scenes.texts)
    with torch.no_grad():
        vectors = driver.encoder(*tensors(scenes))
        words = driver.llm.get_input_embeddings()(ids)
        sequence = torch.cat([words[:, :1], vectors, words[:, 1:]], dim=1)
        logs = driver.llm(inputs_embeds=sequence).logits[0].log_softmax(-1)
    queries, total, norm = vectors.shape[1], 0.0, 0.0
    for t in range(1, ids.shape[1]):
        weight = 3 if driver.words.words[ids[0, t]].isdigit() else 1
        total, norm = total - weight * float(logs[queries + t - 1, ids[0, t]]), norm + weight
    assert token_loss(driver, scenes) == pytest.approx(total / norm, rel=1e-5)


def test_greedy_answers_are_those_without_a_cache(driver):
    scenes, words = generate(3, 5), driver.words
    found = describe(driver, scenes)
    with torch.no_grad():
        vectors = driver.encoder(*tensors(scenes))
        ids = torch.full((3, 1), words.bos)
        for _ in range(words.longest):
            logits = driver.llm(inputs_embeds=driver.embedded(vectors, ids).embeds).logits[:, -1]
            ids = torch.cat([ids, logits.argmax(-1, keepdim=True)], dim=1)
    assert found == words.decode(ids)


def test_sampled_answers_follow_from_the_seed_and_leave_the_global_state(driver):
    scenes, state = generate(8, 6), torch.random.get_rng_state()
    first, second = (describe(driver, scenes, "sampling", seed=seed) for seed in (1, 1))
    assert first == second and len(first) == 8
    assert torch.equal(torch.random.get_rng_state(), state)
    with pytest.raises(InputError, match="decoding"):
        describe(driver, scenes, "beam")


def test_windows_hold_vectors_and_text_without_what_fills_up(driver):
    scenes = generate(12, 7)
    windows = driving_windows(driver, scenes)
    real = (driver.words.encode(scenes.texts) != driver.words.pad).sum(1) + len(driver.encoder.queries)
    assert torch.equal(windows.count.sum(1), real) and torch.equal(windows.attend, windows.count)
    with torch.no_grad():
        assert torch.allclose(windows.embeds[:, 1:9], driver.encoder(*tensors(scenes)), atol=1e-6)


def test_widths_must_agree(driver):
    other = build_driver(0, **SMALL | {"hidden": 32})
    with pytest.raises(InputError, match="width"):
        Driver(other.encoder, driver.llm, driver.words)


def test_training_is_kept_and_follows_from_the_seed():
    stored = train_driver(3, steps=4, guide_steps=2, batch=8, chapters=2, **SMALL)
    assert list(stored["history"].epoch) == [1, 2, 1, 2]
    assert all(isinstance(value, np.ndarray) for value in stored["weights"].values())
    driver, again = restore_driver(stored), train_driver(3, steps=4, guide_steps=2, batch=8, chapters=2, **SMALL)
    for name, value in driver.state_dict().items():
        assert np.array_equal(value.numpy(), again["weights"][name])
    fresh = build_driver(3, **SMALL)
    assert not torch.equal(driver.encoder.project.weight, fresh.encoder.project.weight)


def test_an_interrupted_training_resumes_from_its_folder(tmp_path, monkeypatch):
    """Stopped in epoch 12 of the second stage, it goes on behind epoch 10, and has the same bits in the end."""
    asked = {"steps": 14, "guide_steps": 0, "batch": 2, "chapters": 14, **SMALL}
    whole, drawn, order = train_driver(3, **asked), [], training._Chapters.order

    def stopping(self, seeds, epoch):
        drawn.append(epoch)
        if drawn.count(12) == 1 and epoch == 12:
            raise KeyboardInterrupt
        return order(self, seeds, epoch)

    monkeypatch.setattr(training._Chapters, "order", stopping)
    with pytest.raises(KeyboardInterrupt):
        train_driver(3, **asked, checkpoint=tmp_path)
    resumed = train_driver(3, **asked, checkpoint=str(tmp_path))
    assert drawn == [*range(1, 13), *range(11, 15)]
    assert all(np.array_equal(value, resumed["weights"][name]) for name, value in whole["weights"].items())


def test_a_few_steps_lower_the_loss():
    scenes = generate(40, 8)
    stored = train_driver(0, steps=20, guide_steps=0, batch=16, chapters=2, **SMALL)
    before, after = (token_loss(found, scenes) for found in (build_driver(0, **SMALL), restore_driver(stored)))
    assert after < before - 0.5


def test_untrained_weights_and_wrong_ones():
    stored = train_driver(1, **SIZES["smoke"])
    assert stored["history"].empty
    scenes = generate(3, 1)
    assert token_loss(restore_driver(stored), scenes) == token_loss(build_driver(1, **SMALL), scenes)
    stored["config"]["sizes"] = stored["config"]["sizes"] | {"hidden": 32}
    with pytest.raises(InputError, match="stored weights"):
        restore_driver(stored)
    with pytest.raises(InputError, match="chapters"):
        train_driver(0, steps=2, batch=4, chapters=10, **SMALL)


def test_no_scene_is_refused(driver):
    none = replace(generate(1, 0)[:0], texts=())
    with pytest.raises(InputError, match="at least one scene"):
        token_loss(driver, none)
