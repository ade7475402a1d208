"""Answers to prompts: the likeliest, in left-padded batches, and drawn ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from transformers import GenerationConfig, PreTrainedModel

from pipeline import fingerprint
from pipeline.evaluate.prompts import Prompt
from pipeline.pack.examples import render_prompt
from pipeline.train.model import Tokenizer

__all__ = ["Answers", "generate_answers"]


@dataclass(frozen=True, kw_only=True)
class Answers:
    """What a model answered.

    Args:
        prompts: row id → the prompt as the model got it, decoded.
        texts: row id → the likeliest answer, without control tokens, and behind it those that were drawn.
        cut: prompts that did not fit and lost their beginning.
    """

    prompts: dict[str, str]
    texts: dict[str, list[str]]
    cut: int


@torch.inference_mode()
def generate_answers(
    model: PreTrainedModel,
    tokenizer: Tokenizer,
    prompts: Sequence[Prompt],
    *,
    stop_ids: Sequence[int],
    pad_id: int,
    context: int,
    max_new_tokens: int,
    batch: int,
    device: torch.device,
    drawn: Mapping[str, int] | None = None,
    temperature: float = 1.0,
    seed: int = 0,
) -> Answers:
    """Continue each prompt with the likeliest token until a stop token or `max_new_tokens`.

    A prompt and its answer must fit the model's context; a longer prompt loses its beginning, so that every model
    answers the same rows. Where the context is smaller than twice `max_new_tokens`, the answer gets half of it.

    Args:
        model: in evaluation mode, on `device`.
        tokenizer: of the model, with its chat template.
        prompts: rows to answer.
        stop_ids: tokens that end an answer.
        pad_id: the token to the left of shorter prompts; masked.
        context: tokens that the model can read.
        max_new_tokens: of an answer.
        batch: prompts at once.
        device: of the model.
        drawn: row id → answers to draw at `temperature`, beside the likeliest one.
        temperature: of these.
        seed: of these; a row's depend on it and the row's id, not on the batch.
    """
    room = min(max_new_tokens, max(context // 2, 1))
    rendered = {
        prompt.id: render_prompt(tokenizer, prompt.messages, prompt.tools, prompt.metadata) for prompt in prompts
    }
    fitting = {key: ids[-(context - room) :] for key, ids in rendered.items()}
    common = {"num_beams": 1, "max_new_tokens": room, "eos_token_id": list(stop_ids), "pad_token_id": pad_id}
    settings = GenerationConfig(do_sample=False, **common)  # type: ignore[no-untyped-call]
    # Prompts of like length together: little padding, and batches that depend on the prompts alone.
    order = sorted(fitting, key=lambda key: (len(fitting[key]), key))
    texts: dict[str, list[str]] = {}
    for first in range(0, len(order), batch):
        keys = order[first : first + batch]
        width = max(len(fitting[key]) for key in keys)
        tokens = torch.full((len(keys), width), pad_id, dtype=torch.int64)
        mask = torch.zeros_like(tokens)
        for row, key in enumerate(keys):
            ids = fitting[key]
            tokens[row, width - len(ids) :] = torch.tensor(ids)
            mask[row, width - len(ids) :] = 1
        output = model.generate(  # type: ignore[operator]
            input_ids=tokens.to(device), attention_mask=mask.to(device), generation_config=settings
        )
        for key, answer in zip(keys, output[:, width:].tolist(), strict=True):
            texts[key] = [_text(tokenizer, answer, stop_ids)]
    for key, count in (drawn or {}).items():
        torch.manual_seed(int(fingerprint.of_value([seed, key])[:15], 16))
        sampling = GenerationConfig(  # type: ignore[no-untyped-call]
            do_sample=True, temperature=temperature, top_k=0, num_return_sequences=min(batch, count), **common
        )
        asked = torch.tensor([fitting[key]], device=device)
        while len(texts[key]) <= count:
            output = model.generate(  # type: ignore[operator]
                input_ids=asked, attention_mask=torch.ones_like(asked), generation_config=sampling
            )
            texts[key] += [_text(tokenizer, answer, stop_ids) for answer in output[:, asked.shape[1] :].tolist()]
        del texts[key][count + 1 :]
    return Answers(
        prompts={
            key: tokenizer.decode(ids, skip_special_tokens=False, clean_up_tokenization_spaces=False)
            for key, ids in fitting.items()
        },
        texts=texts,
        cut=sum(len(fitting[key]) < len(rendered[key]) for key in fitting),
    )


def _text(tokenizer: Tokenizer, ids: Sequence[int], stop_ids: Sequence[int]) -> str:
    end = next((at for at, token in enumerate(ids) if token in stop_ids), len(ids))
    return str(tokenizer.decode(ids[:end], skip_special_tokens=True, clean_up_tokenization_spaces=False))
