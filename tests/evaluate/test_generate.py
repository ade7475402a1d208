"""Properties: an answer does not depend on its batch, stops where it should, and always has room."""

from __future__ import annotations

import pytest
import torch
from transformers import PreTrainedModel

from pipeline.config import Recipe
from pipeline.evaluate.generate import Answers, generate_answers
from pipeline.evaluate.prompts import Prompt
from pipeline.pack.examples import render_prompt
from pipeline.run import RunDirectory
from pipeline.train.model import Tokenizer, load_model, load_tokenizer

PROMPTS = [
    Prompt(
        id=f"s/f#{n}",
        source="s",
        kind="pair",
        messages=[{"role": "user", "content": "add " * n + "it", "extra": None}],
        tools=None,
        reference="x",
    )
    for n in range(7)
]


@pytest.fixture
def tokenizer(run: RunDirectory) -> Tokenizer:
    return load_tokenizer(run.path("tokenizer"))


@pytest.fixture
def model(recipe: Recipe, tokenizer: Tokenizer) -> PreTrainedModel:
    # Wide enough weights that no two tokens are nearly as likely: the likeliest is then the same in any batch.
    made = load_model(recipe.train.model, tokenizer, seed=3, seq_length=recipe.pack.seq_length).eval()
    for parameter in made.parameters():
        parameter.data.mul_(8)
    return made


def answer(model: PreTrainedModel, tokenizer: Tokenizer, **changes: object) -> Answers:
    settings: dict[str, object] = {
        "stop_ids": [],
        "pad_id": 0,
        "context": 128,
        "max_new_tokens": 12,
        "batch": 4,
        "device": torch.device("cpu"),
    }
    return generate_answers(model, tokenizer, PROMPTS, **{**settings, **changes})  # type: ignore[arg-type]


def test_an_answer_is_the_greedy_one_and_does_not_depend_on_the_batch(
    model: PreTrainedModel, tokenizer: Tokenizer
) -> None:
    batched, single = answer(model, tokenizer, batch=4), answer(model, tokenizer, batch=1)
    assert batched == single
    for prompt in PROMPTS:
        ids = list(render_prompt(tokenizer, prompt.messages))
        length = len(ids)
        for _ in range(12):
            with torch.inference_mode():
                ids.append(int(model(input_ids=torch.tensor([ids])).logits[0, -1].argmax()))
        assert batched.texts[prompt.id] == [tokenizer.decode(ids[length:], skip_special_tokens=True)]
    assert len({text for (text,) in batched.texts.values()}) > 1


def test_an_answer_ends_before_the_first_stop_token(model: PreTrainedModel, tokenizer: Tokenizer) -> None:
    free = answer(model, tokenizer)
    ids = list(render_prompt(tokenizer, PROMPTS[3].messages))
    new: list[int] = []
    for _ in range(12):
        with torch.inference_mode():
            new.append(int(model(input_ids=torch.tensor([ids + new])).logits[0, -1].argmax()))
    stop = new[5]
    stopped = answer(model, tokenizer, stop_ids=[stop])
    expected = tokenizer.decode(new[: new.index(stop)], skip_special_tokens=True)
    assert stopped.texts["s/f#3"] == [expected]
    assert stopped.texts["s/f#3"] != free.texts["s/f#3"]


def test_a_prompt_that_does_not_fit_loses_its_beginning_and_is_counted(
    model: PreTrainedModel, tokenizer: Tokenizer
) -> None:
    lengths = {prompt.id: len(render_prompt(tokenizer, prompt.messages)) for prompt in PROMPTS}
    context = sorted(lengths.values())[3] + 12
    answers = answer(model, tokenizer, context=context)
    assert answers.cut == sum(length > context - 12 for length in lengths.values()) > 0
    assert answers.texts.keys() == lengths.keys()
    assert answers.prompts["s/f#6"].endswith("<|im_start|>assistant\n")
    assert not answers.prompts["s/f#6"].startswith("<|im_start|>")


def test_an_answer_never_takes_more_than_half_of_a_small_context(model: PreTrainedModel, tokenizer: Tokenizer) -> None:
    answers = answer(model, tokenizer, context=16, max_new_tokens=1000)
    assert answers == answer(model, tokenizer, context=16, max_new_tokens=8)
    assert answers != answer(model, tokenizer, context=16, max_new_tokens=7)
    assert {len(tokenizer.encode(prompt)) for prompt in answers.prompts.values()} == {8}


def test_drawn_answers_depend_on_the_row_and_the_seed_alone(model: PreTrainedModel, tokenizer: Tokenizer) -> None:
    drawn = {"s/f#2": 5}
    one, two = (answer(model, tokenizer, drawn=drawn, seed=1, temperature=9.0, batch=batch) for batch in (7, 5))
    assert one == two
    assert {key: len(texts) for key, texts in one.texts.items() if len(texts) > 1} == {"s/f#2": 6}
    assert one.texts["s/f#2"][0] == answer(model, tokenizer).texts["s/f#2"][0]
    assert len(set(one.texts["s/f#2"])) > 2
    assert one != answer(model, tokenizer, drawn=drawn, seed=2, temperature=9.0)
