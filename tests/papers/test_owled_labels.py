"""What labels say: rules, statistics, constant answers, errors of single texts."""

import numpy as np
import pytest

from tenfold.datasets import driving as published
from tenfold.papers.owled import labels
from tenfold.pruning import driving

SCENES = driving.generate(60, 1)


def test_generated_labels_follow_the_rules():
    table = labels.rules(SCENES).set_index("quantity")
    assert (table.disagree[["cars", "pedestrians", "light"]] == 0).all()
    assert table.loc["light_distance", "agree"] < 60, "the small driver's labels have whole metres"


def test_a_wrong_text_is_counted():
    from dataclasses import replace

    texts = list(SCENES.texts)
    texts[0] = texts[0].replace("cars", "carts")
    table = labels.rules(replace(SCENES, texts=tuple(texts))).set_index("quantity")
    assert table.loc["cars", "agree"] == 59 and table.loc["pedestrians", "agree"] == 60


def test_single_errors_have_the_means_that_the_room_gives():
    said = [*SCENES.texts[5:], "nothing", "", "I'm observing 3 cars and 1 pedestrians.", *SCENES.texts[:2]]
    whole, single = driving.driving_metrics(SCENES.texts, said), labels.errors(SCENES.texts, said)
    for metric in labels.METRICS:
        assert single[metric].mean() == pytest.approx(whole[metric]), metric
        assert len(single[metric]) == whole[f"n_{metric}"]


def test_statistics_are_of_the_texts():
    table = labels.statistics(SCENES).set_index("quantity")
    counts = [driving.visible_objects(scene)["cars"] for scene in SCENES]
    assert table.loc["cars", "mean"] == pytest.approx(np.mean(counts)) and table.loc["cars", "greatest"] == max(counts)
    shares = table[table.index.str.startswith("light: ")]["mean"]
    assert shares.sum() == pytest.approx(1)


def test_the_interval_of_a_lead_holds_it():
    table = labels.chance(SCENES, 0).set_index("metric")
    assert (table.low <= table.lead).all() and (table.lead <= table.high).all()
    light = table.loc["Acc_TL"]
    assert light.lead == pytest.approx(0.718 - driving.constant_baseline(SCENES.texts)["Acc_TL"])


def test_every_published_row_has_every_metric():
    table = labels.published(SCENES)
    assert table.metric.tolist() == list(labels.METRICS) and table.notna().all().all()


@pytest.mark.mirror
def test_the_real_scenes_give_what_was_derived_before(mirror):
    scenes = published.scenes()
    assert (labels.rules(scenes).disagree == 0).all()
    assert labels.constants(scenes).residual.abs().max() < 1e-4
    assert labels.chance(scenes, 0).set_index("metric").loc["Acc_TL", "lead"] == pytest.approx(0.718 - 738 / 990)


@pytest.mark.mirror
def test_trivial_answers_are_graded_below_the_stored_ones(mirror):
    table = labels.graded(published.scenes(), 5, 0).set_index("answers")
    assert table.loc["the stored answers", "token_f1"] == 1
    assert table.loc["I don't know", "token_f1"] < table.loc["answers of other questions", "token_f1"] < 0.9
