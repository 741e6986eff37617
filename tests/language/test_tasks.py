"""Tasks: prompts, the reading of answers, scores of models that say what is known, and likelihoods of choices."""

import types

import pytest
import torch

from tenfold.errors import InputError
from tenfold.language import tasks
from tenfold.language.domains import Domain, domain
from tenfold.language.llama import tiny
from tenfold.language.questions import document
from tenfold.language.tokenizer import train_tokenizer

SUMS = Domain(
    "sums",
    "arithmetic",
    tuple(
        document("sums", {"question": f"{i} + {i}?", "answer": str(2 * i), "rationale": f"{i} and {i} is {2 * i}."})
        for i in range(1, 6)
    ),
    tuple(document("sums", {"question": f"{i} + 1?", "answer": f"{i} + 1"}) for i in range(10, 16)),
    "sums",
)
PLACES = Domain(
    "places",
    "choice",
    tuple(document("places", {"question": f"q{i}?", "choices": ["a", "b"], "answer": "AB"[i % 2]}) for i in range(4)),
    tuple(
        document("places", {"question": f"t{i}?", "choices": ["x", "y", "z"], "answer": "ABC"[i % 3]}) for i in range(6)
    ),
    "places",
)


@pytest.fixture(scope="module")
def tokenizer():
    texts = [item.text for part in (SUMS, PLACES) for item in (*part.train, *part.test)]
    return train_tokenizer(texts, 320)


@pytest.fixture(scope="module")
def model(tokenizer):
    """Random, with weights so large that attention is sharp and answers differ from question to question."""
    model = tiny(len(tokenizer), 32, 48, 2, 2, 160, 1)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if weight.ndim == 2:
                weight.mul_(10 if "q_proj" in name or "k_proj" in name else 12 if "v_" in name or "o_" in name else 6)
    return model


def test_prompts_are_solved_questions_and_one_to_solve():
    assert tasks.prompt(SUMS, SUMS.test[0], 2) == (
        "Question: 1 + 1?\nAnswer: 2\n\nQuestion: 2 + 2?\nAnswer: 4\n\nQuestion: 10 + 1?\nAnswer:"
    )
    assert tasks.prompt(SUMS, SUMS.test[0], 1, rationale=True) == (
        "Question: 1 + 1?\nAnswer: 1 and 1 is 2. So the answer is 2.\n\nQuestion: 10 + 1?\nAnswer:"
    )
    assert tasks.prompt(SUMS, SUMS.test[0], 0) == "Question: 10 + 1?\nAnswer:"


@pytest.mark.parametrize(
    ("kind", "said", "parsed"),
    [
        ("arithmetic", " 72", "72"),
        ("arithmetic", " 72.\n\nQuestion: more?\nAnswer: 3", "72"),
        ("arithmetic", " 72\nQuestion: more?\nAnswer: 3", "72"),
        ("arithmetic", " 3 + 4 = 7.\nThen #### 5 #### 7\n\n9", "7"),
        ("arithmetic", " ( 8 - 3 )\nbecause", "( 8 - 3 )"),
        ("arithmetic", "\n\n72", ""),
        ("arithmetic", "", ""),
        ("choice", " b", "B"),
        ("choice", " B. mall\nC", "B. MALL"),
        ("choice", "2\n\n1", "2"),
        ("nli", " Neutral.\nPremise: x", "neutral"),
        ("nli", " contradiction\nfor", "contradiction"),
    ],
)
def test_answers_are_read_from_what_is_said(kind, said, parsed):
    assert tasks.parse(kind, said) == parsed


@pytest.mark.parametrize(
    ("kind", "said", "parsed"),
    [
        ("arithmetic", " 3 and 4 is 7. So the answer is 7.\n\nQuestion", "7"),
        ("arithmetic", " The answer is 3? No, the answer is 4.", "4"),
        ("arithmetic", " 48/2 = 24.\n48+24 = 72. #### 72", "72"),
        ("nli", " a dog is an animal So the answer is entailment.", "entailment"),
        ("arithmetic", " no conclusion", "no conclusion"),
    ],
)
def test_behind_a_rationale_stands_the_answer(kind, said, parsed):
    assert tasks.parse(kind, said, rationale=True) == parsed


@pytest.mark.parametrize(
    ("kind", "parsed", "label", "right"),
    [
        ("arithmetic", "72", "48 + 48 / 2", True),
        ("arithmetic", "24 * 3", "72", True),
        ("arithmetic", "1,450.0", "1450", True),
        ("arithmetic", "0.3", "0.1 + 0.2", True),
        ("arithmetic", "71", "72", False),
        ("arithmetic", "72 dollars", "72", False),
        ("arithmetic", "", "0", False),
        ("arithmetic", "1/0", "1/0", False),
        ("choice", "B", "B", True),
        ("choice", "B. MALL", "B", False),
        ("choice", "", "A", False),
        ("nli", "neutral", "neutral", True),
        ("nli", "entailment", "neutral", False),
    ],
)
def test_what_is_right(kind, parsed, label, right):
    assert tasks.right(kind, parsed, label) is right


def test_scores_of_a_known_speaker(model, tokenizer, monkeypatch):
    """Says the sum to even questions, and nonsense to odd ones."""
    asked = []

    def speaker(model, tokenizer, prompts, room, **settings):
        asked.append((list(prompts), room, settings))
        numbers = [int(prompt.rsplit("Question: ", 1)[1].split(" + ")[0]) for prompt in prompts]
        return [f" {n + 1}\n\nQuestion: so?" if n % 2 == 0 else " I do not know" for n in numbers]

    monkeypatch.setattr(tasks, "generate", speaker)
    found = tasks.score(model, tokenizer, SUMS, 5, shots=1, max_new_tokens=7, decoding="sampling", seed=3)
    assert found["right"].tolist() == [True, False, True, False, True]
    assert found["parsed"].tolist() == ["11", "i do not know", "13", "i do not know", "15"]
    assert found["label"].tolist() == [f"{i} + 1" for i in range(10, 15)]
    assert set(found["domain"]) == {"sums"} and set(found["shots"]) == {1}
    prompts, room, settings = asked[0]
    assert prompts == [tasks.prompt(SUMS, item, 1) for item in SUMS.test[:5]]
    assert room == 7 and settings["decoding"] == "sampling" and settings["seed"] == 3


def test_a_score_is_what_the_model_says(model, tokenizer):
    found = tasks.score(model, tokenizer, SUMS, 3, shots=1, max_new_tokens=4)
    expected = tasks.generate(model, tokenizer, [tasks.prompt(SUMS, item, 1) for item in SUMS.test[:3]], 4)
    assert found["generated"].tolist() == expected and not found["right"].any()
    assert found["question"].tolist() == [item.question for item in SUMS.test[:3]]


def test_as_many_examples_as_fit(model, tokenizer):
    """A context of 160 tokens leaves room for fewer than four solved questions and 100 new tokens."""
    found = tasks.score(model, tokenizer, SUMS, 1, shots=4, max_new_tokens=100)
    used = int(found["shots"][0])
    assert 0 < used < 4
    sizes = [len(tokenizer(tasks.prompt(SUMS, SUMS.test[0], count))["input_ids"]) for count in (used, used + 1)]
    assert sizes[0] + 100 <= 160 < sizes[1] + 100


@torch.no_grad()
def likeliest(model, tokenizer, text, choices):
    """The choice of the greatest sum of log-probabilities, one forward pass each, token by token."""
    start = len(tokenizer(text)["input_ids"])
    values = []
    for choice in choices:
        ids = tokenizer(f"{text} {choice}")["input_ids"]
        logits = model(input_ids=torch.tensor([ids]), use_cache=False).logits[0].double()
        values.append(sum((logits[i - 1].log_softmax(0)[ids[i]]).item() for i in range(start, len(ids))))
    return choices[max(range(len(values)), key=values.__getitem__)]


def test_choices_are_compared_by_their_likelihood(model, tokenizer):
    found = tasks.choice_accuracy(model, tokenizer, PLACES, 6, shots=2, batch=4)
    expected = [likeliest(model, tokenizer, tasks.prompt(PLACES, item, 2), item.choices) for item in PLACES.test]
    assert len(set(expected)) > 1
    assert found["parsed"].tolist() == expected
    assert found["right"].tolist() == [a == b.label for a, b in zip(expected, PLACES.test, strict=True)]
    assert found["chance"].tolist() == pytest.approx([1 / 3] * 6)


def test_choices_of_several_tokens(model, tokenizer):
    rows = [{"premise": f"p{i}", "hypothesis": f"h{i}", "label": "neutral"} for i in range(8)]
    nli = Domain("nli", "nli", (), tuple(document("nli", row) for row in rows), "nli")
    assert len(tokenizer(" contradiction", add_special_tokens=False)["input_ids"]) > 2
    found = tasks.choice_accuracy(model, tokenizer, nli, 8)
    assert found["parsed"].tolist() == [
        likeliest(model, tokenizer, tasks.prompt(nli, item, 0), item.choices) for item in nli.test
    ]


def test_a_model_that_knows_is_right(tokenizer):
    """Logits that prefer what follows in the right text: all right; the same of every token: the first choice."""
    known = {tuple(tokenizer(f"{item.question.rstrip()} {item.label}")["input_ids"]) for item in PLACES.test}

    class Knowing(torch.nn.Module):
        config = types.SimpleNamespace(max_position_embeddings=200)
        device = torch.device("cpu")

        def __init__(self, preference):
            super().__init__()
            self.preference = preference

        def forward(self, input_ids, use_cache):
            logits = torch.zeros(*input_ids.shape, len(tokenizer))
            for row, ids in zip(logits, input_ids.tolist(), strict=True):
                for i in range(len(ids)):
                    for text in known:
                        if len(text) > i + 1 and text[: i + 1] == tuple(ids[: i + 1]):
                            row[i, text[i + 1]] = self.preference
            return types.SimpleNamespace(logits=logits)

    assert tasks.choice_accuracy(Knowing(5.0), tokenizer, PLACES, 6)["right"].all()
    assert not tasks.choice_accuracy(Knowing(-5.0), tokenizer, PLACES, 6)["right"].any()
    assert tasks.choice_accuracy(Knowing(0.0), tokenizer, PLACES, 6)["parsed"].tolist() == ["A"] * 6


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda m, t: tasks.parse("prose", "x"), "unknown kind of task"),
        (lambda m, t: tasks.prompt(SUMS, SUMS.test[0], 6), "do not make 6"),
        (lambda m, t: tasks.prompt(SUMS, SUMS.test[0], -1), "do not make -1"),
        (lambda m, t: tasks.score(m, t, SUMS, 7), "has 6 test questions, not 7"),
        (lambda m, t: tasks.score(m, t, SUMS, 0), "not 0"),
        (lambda m, t: tasks.score(m, t, domain("prose", 3000), 1), "prose has 0 test questions"),
        (lambda m, t: tasks.score(m, t, SUMS, 1, max_new_tokens=159), "exceed the context 160"),
        (lambda m, t: tasks.choice_accuracy(m, t, SUMS, 2), "no choices"),
    ],
)
def test_bad_input_is_refused(call, message, model, tokenizer):
    with pytest.raises(InputError, match=message):
        call(model, tokenizer)
