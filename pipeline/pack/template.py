"""Which chat template a run uses, and what it must do before anything is trained through it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.errors import InputError, did_you_mean
from pipeline.pack.examples import Renderer, adds_bos

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

__all__ = ["check_template", "choose_template", "read_template"]

_OURS = Path(__file__).parent / "templates"
_GENERATION = re.compile(r"\{%[-+]?\s*generation\s*[-+]?%\}")
_CHATML = ("<|im_start|>", "<|im_end|>")


def choose_template(template: str, tokenizer: PreTrainedTokenizerBase) -> str:
    """The Jinja text to use for `pack.template`.

    `default` takes the tokenizer's own template where it marks what is generated. Else it takes ours: ChatML where its
    two tokens are tokens of the vocabulary; where they are not, headers in plain text with the tokenizer's own end
    token, so that a vocabulary never grows and no embedding starts untrained.

    Raises:
        InputError: the file is not there or marks nothing, or the tokenizer has no end token.
    """
    if template != "default":
        return read_template(Path(template))
    own = tokenizer.chat_template
    own = own.get("default") if isinstance(own, dict) else own
    if own and _GENERATION.search(own):
        return str(own)
    chatml = set(_CHATML) <= set(tokenizer.get_added_vocab())
    if not chatml and tokenizer.eos_token is None:
        raise InputError(
            "the tokenizer has no end-of-sequence token, so an answer could not be ended",
            where=f"pack.tokenizer: {tokenizer.name_or_path}",
            mend="set `eos_token` in its tokenizer_config.json",
        )
    text = (_OURS / ("chatml.jinja" if chatml else "plain.jinja")).read_text(encoding="utf-8")
    return "{{- bos_token }}\n" + text if adds_bos(tokenizer) else text


def check_template(renderer: Renderer) -> list[int]:
    """Try the template on a small conversation; return the tokens that end an answer.

    Raises:
        InputError: the prompt of a server is not how training begins, nothing or the prompt is a target, the end of an
            answer is not trained, or the begin-of-sequence token stands twice.
    """
    tokenizer = renderer.tokenizer
    ask, answer = {"role": "user", "content": "Is it on?"}, {"role": "assistant", "content": "Yes."}
    prompt = renderer.encode([renderer.conversation([ask], add_generation_prompt=True)]).tokens.tolist()
    trained = renderer.encode([renderer.conversation([ask, answer])])
    tokens = trained.tokens.tolist()
    targets = trained.tokens[trained.loss].tolist()
    special = {index for index, token in tokenizer.added_tokens_decoder.items() if token.special}
    ends = [token for token in targets if token in special]
    problem = ""
    if tokens[: len(prompt)] != prompt or trained.loss[: len(prompt)].any():
        problem = "training does not begin with what a server sends as the prompt (`add_generation_prompt`)"
    elif answer["content"] not in str(tokenizer.decode(targets)):
        problem = "the assistant's text is not what is between its generation tags"
    elif not ends:
        problem = "the token that ends an answer is not inside the generation tags, so the model would never stop"
    elif tokenizer.bos_token_id is not None and tokens[:2] == [tokenizer.bos_token_id] * 2:
        problem = "the begin-of-sequence token stands twice"
    if problem:
        raise InputError(
            f"the chat template cannot be trained: {problem}",
            where=f"pack.template, on user: {ask['content']!r}, assistant: {answer['content']!r}",
            mend="see pipeline/pack/templates/chatml.jinja for one that can, and name yours in `pack.template`",
        )
    return sorted(set(ends))


def read_template(path: Path) -> str:
    """The text of a template file.

    Raises:
        InputError: it cannot be read, or does not mark what the assistant writes.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        near = did_you_mean(path.name, ["default", *(other.name for other in path.parent.glob("*.jinja"))])
        why = error.strerror if isinstance(error, OSError) else error
        raise InputError(
            f"the chat template cannot be read: {why}{near}",
            where=f"pack.template: {path}",
            mend="give `default`, or the path of a .jinja file relative to the working directory",
        ) from None
    if not _GENERATION.search(text):
        raise InputError(
            "the chat template does not mark what the assistant writes",
            where=f"pack.template: {path}",
            mend="put {% generation %} … {% endgeneration %} around the assistant's text and its end token",
        )
    return text
