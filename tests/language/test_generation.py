"""Generation: against one token at a time without cache and padding, from vectors, and by sampling."""

import pytest
import torch

from tenfold.errors import InputError
from tenfold.language.generation import generate
from tenfold.language.llama import tiny
from tenfold.language.tokenizer import train_tokenizer

PROMPTS = [
    "The cat sat",
    "a",
    "Dogs and cats and a dog that sat on 12 mats. The",
    "the dog",
    "on",
    "12 cats sat on the",
]


@pytest.fixture(scope="module")
def tokenizer():
    return train_tokenizer(["The cat sat on the mat. Dogs and cats sat on 12 mats."] * 3, 300)


@pytest.fixture(scope="module")
def model(tokenizer):
    """Random, with weights so large that the most likely tokens differ from prompt to prompt."""
    model = tiny(len(tokenizer), 32, 48, 2, 2, 96, 0)
    with torch.no_grad():
        for weight in model.parameters():
            if weight.ndim == 2:
                weight.mul_(6)
    return model


@torch.no_grad()
def said_slowly(model, tokenizer, prompt, count):
    """The most likely token, again and again, from the whole text before it."""
    ids = tokenizer(prompt)["input_ids"]
    length = len(ids)
    for _ in range(count):
        ids.append(int(model(input_ids=torch.tensor([ids]), use_cache=False).logits[0, -1].argmax()))
        if ids[-1] in (tokenizer.eos_token_id, tokenizer.bos_token_id):
            break
    return tokenizer.decode(ids[length:], skip_special_tokens=True)


def test_greedy_equals_one_token_at_a_time(model, tokenizer):
    expected = [said_slowly(model, tokenizer, prompt, 12) for prompt in PROMPTS]
    assert len(set(expected)) == len(PROMPTS)
    for batch in (1, 4, 32):
        assert generate(model, tokenizer, PROMPTS, 12, batch=batch) == expected


def test_a_text_ends_where_another_begins(model, tokenizer):
    """The model is made to say BOS, and after it a word: that word belongs to another text."""
    ids = tokenizer(PROMPTS[0])["input_ids"]
    weight = model.lm_head.weight
    with torch.no_grad():
        saved = weight.clone()
        first, second = (
            model.model(input_ids=torch.tensor([row])).last_hidden_state[0, -1]
            for row in (ids, [*ids, tokenizer.bos_token_id])
        )
        weight.zero_()
        weight[tokenizer.bos_token_id] = first
        weight[ids[1]] = 100 * (second - first * (second @ first) / (first @ first))
        try:
            assert said_slowly(model, tokenizer, PROMPTS[0], 1) == ""
            logits = model(input_ids=torch.tensor([[*ids, tokenizer.bos_token_id]])).logits[0, -1]
            assert logits.argmax() == ids[1]
            assert generate(model, tokenizer, PROMPTS[:1], 8) == [""]
        finally:
            weight.copy_(saved)


def test_vectors_are_prompts_too(model, tokenizer):
    encoded = [tokenizer(prompt)["input_ids"] for prompt in PROMPTS]
    length = max(map(len, encoded))
    ids = torch.tensor([[tokenizer.pad_token_id] * (length - len(row)) + row for row in encoded])
    attend = torch.arange(length) >= torch.tensor([length - len(row) for row in encoded])[:, None]
    vectors = model.get_input_embeddings()(ids)
    vectors = torch.where(attend[..., None], vectors, torch.nan)  # what is padding must not be looked at
    assert generate(model, tokenizer, vectors, 10, attend=attend) == generate(model, tokenizer, PROMPTS, 10)
    alone = generate(model, tokenizer, model.get_input_embeddings()(torch.tensor(encoded[:1])), 10)
    assert alone == generate(model, tokenizer, PROMPTS[:1], 10)


def test_sampling_follows_the_seed_and_leaves_the_global_generator(model, tokenizer):
    def sample(seed, **changes):
        return generate(
            model,
            tokenizer,
            PROMPTS,
            12,
            decoding="sampling",
            seed=seed,
            **{"temperature": 2.0, "top_p": 1.0} | changes,
        )

    torch.manual_seed(7)
    before = torch.random.get_rng_state()
    assert sample(1) == sample(1)
    assert sample(1) != sample(2)
    assert torch.equal(torch.random.get_rng_state(), before)
    greedy = generate(model, tokenizer, PROMPTS, 12)
    assert sample(1) != greedy
    assert sample(1, top_k=1) == sample(2, temperature=1e-4) == sample(3, top_p=1e-6) == greedy


def test_the_mode_of_the_model_stays(model, tokenizer):
    model.train()
    generate(model, tokenizer, PROMPTS[:1], 2)
    assert model.training
    model.eval()


def test_no_prompt_no_answer(model, tokenizer):
    assert generate(model, tokenizer, [], 5) == []


VECTORS = torch.zeros(2, 4, 32)


@pytest.mark.parametrize(
    ("prompts", "arguments", "message"),
    [
        (PROMPTS, {"decoding": "beam"}, "unknown decoding 'beam'"),
        (PROMPTS, {"max_new_tokens": 0}, "at least 1"),
        (PROMPTS, {"batch": 0}, "at least 1"),
        (["The cat sat on the mat. " * 20], {}, "exceed the context 96"),
        (PROMPTS, {"max_new_tokens": 96}, "exceed the context 96"),
        (VECTORS[0], {}, r"\(n, T, d\)"),
        (VECTORS, {"attend": torch.ones(2, 3, dtype=torch.bool)}, r"\(n, T, d\)"),
        (VECTORS, {"attend": torch.tensor([[True, False, True, True]] * 2)}, "padded on the left"),
        (VECTORS, {"attend": torch.zeros(2, 4, dtype=torch.bool)}, "at least one token"),
    ],
)
def test_bad_input_is_refused(model, tokenizer, prompts, arguments, message):
    with pytest.raises(InputError, match=message):
        generate(model, tokenizer, prompts, **{"max_new_tokens": 4} | arguments)
