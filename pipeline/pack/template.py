"""Which chat template a run uses, and what it must do before anything is trained through it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.errors import InputError, did_you_mean
from pipeline.pack.encoder import leading_blank
from pipeline.pack.examples import Renderer, adds_bos
from pipeline.pack.lint import lint
from pipeline.pack.prompt_template import chat_template_of, is_prompt_template
from pipeline.pack.shipped import NAMES, fitting, shipped
from pipeline.pack.verdict import Verdict

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

__all__ = ["check_template", "choose_template", "read_template"]


def choose_template(template: str, tokenizer: PreTrainedTokenizerBase) -> str:
    """The Jinja text to use for `pack.template`.

    `default` takes the tokenizer's own template: the model was trained with it. A tokenizer without one gets ours:
    ChatML where its two tokens are tokens of the vocabulary; where they are not, headers in plain text with the
    tokenizer's own end token, so that a vocabulary never grows and no embedding starts untrained.

    Raises:
        InputError: no such file or name, the vocabulary lacks the template's tokens, or there is no end token.
    """
    if template != "default":
        return _named(template, tokenizer)
    own = tokenizer.chat_template
    own = own.get("default") if isinstance(own, dict) else own
    if own:
        return str(own)
    name = next(name for name in ("chatml", "plain") if name in fitting(tokenizer.get_vocab()))
    return _ours(name, tokenizer)


def _named(template: str, tokenizer: PreTrainedTokenizerBase) -> str:
    if template in NAMES:
        return _ours(template, tokenizer)
    text = read_template(template)
    if not is_prompt_template(text):
        return text
    _require_end(tokenizer)
    return chat_template_of(text, bos=adds_bos(tokenizer))


def _ours(name: str, tokenizer: PreTrainedTokenizerBase) -> str:
    text = shipped(name, tokenizer.get_vocab())
    if "eos_token" in text:
        _require_end(tokenizer)
    if name == "mistral" and leading_blank(tokenizer) is None:
        text = text.replace("{%- set blank = ' ' %}", "{%- set blank = '' %}")
    # Where the text sets the token itself it is the model's format; else it is set where the tokenizer would.
    return "{{- bos_token }}\n" + text if name in ("chatml", "plain", "phi") and adds_bos(tokenizer) else text


def _require_end(tokenizer: PreTrainedTokenizerBase) -> None:
    if tokenizer.eos_token is None:
        raise InputError(
            "the tokenizer has no end-of-sequence token, so an answer could not be ended",
            where=f"pack.tokenizer: {tokenizer.name_or_path}",
            mend="set `eos_token` in its tokenizer_config.json",
        )


def check_template(renderer: Renderer) -> Verdict:
    """Lint the template.

    Raises:
        InputError: it cannot be trained through; the message says why, and what can be.
    """
    verdict = lint(renderer)
    failed = [finding for finding in verdict.findings if finding.state == "fail"]
    if failed:
        names = fitting(renderer.tokenizer.get_vocab())
        raise InputError(
            "the chat template cannot be trained: " + "; ".join(finding.found for finding in failed),
            where="pack.template, on a question and its answer",
            mend=f"{failed[0].mend}; or take one of ours that fits the tokenizer: pack.template: {' | '.join(names)}",
        )
    return verdict


def read_template(template: str) -> str:
    """The text that `pack.template` means where it is neither `default` nor a name: its own, or a file's.

    Raises:
        InputError: it can only be a file, and cannot be read.
    """
    if "{%" in template or "{{" in template or is_prompt_template(template):
        return template
    path = Path(template)
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        files = path.parent.glob("*.jinja") if path.parent.is_dir() else ()
        near = did_you_mean(path.name, ["default", *NAMES, *(other.name for other in files)])
        why = error.strerror if isinstance(error, OSError) else error
        raise InputError(
            f"the chat template cannot be read: {why}{near}",
            where=f"pack.template: {template}",
            mend=f"give `default`, one of {', '.join(NAMES)}, or a .jinja file relative to the working directory",
        ) from None
