"""The tokenizer's core, as pieces of a text need it."""

from __future__ import annotations

import json
import re
from collections.abc import Collection
from typing import TYPE_CHECKING, Any, Literal, cast

if TYPE_CHECKING:
    from tokenizers import AddedToken, Tokenizer
    from transformers import PreTrainedTokenizerBase

__all__ = ["encoder_of", "free_character", "leading_blank", "stands_alone", "with_border"]


def encoder_of(tokenizer: PreTrainedTokenizerBase, *, literal: bool, inner: bool) -> Tokenizer:
    """A copy of the core that neither cuts nor pads.

    Args:
        tokenizer: of the fast kind.
        literal: take control tokens as text.
        inner: set no blank before the first word: the text goes on from another.
    """
    from tokenizers import Tokenizer

    core = json.loads(tokenizer.backend_tokenizer.to_str())
    core["post_processor"] = None  # it would add special tokens, and trim blanks off the places of tokens
    if inner:
        for name in ("normalizer", "pre_tokenizer"):
            core[name] = _without_blank(core[name])
    encoder = Tokenizer.from_str(json.dumps(core))
    encoder.no_truncation()
    encoder.no_padding()
    encoder.encode_special_tokens = literal
    return encoder


def with_border(tokenizer: PreTrainedTokenizerBase, border: str) -> tuple[Tokenizer, int]:
    """A copy of the core in which the character `border` is a token of its own, and that token's id.

    What is between two borders is encoded as if it were a text by itself, but no blank is set before its first word.
    """
    from tokenizers import AddedToken

    encoder = encoder_of(tokenizer, literal=False, inner=True)
    encoder.add_tokens([AddedToken(border, normalized=False)])
    return encoder, cast(int, encoder.token_to_id(border))


def free_character(tokenizer: PreTrainedTokenizerBase, *, but: str) -> str:
    """A character of the private plane 16 that no token holds, and is none of `but`."""
    used = set(but).union(*tokenizer.get_vocab())
    return next(one for one in map(chr, range(0x10FFFD, 0x100000, -1)) if one not in used)


def stands_alone(token: AddedToken, added: Collection[AddedToken]) -> bool:
    """Whether a text is always cut where it holds `token`: no other of the `added` tokens can reach over it.

    Of several that match, the core takes the one that begins first, and of these the longest.
    """
    own = token.content
    beside_words = any(re.match(r"\w", one) for one in (own[:1], own[-1:]))
    if beside_words and any(other.single_word for other in added):
        return False  # whether such a one is a word depends on what stands beside it
    if token.normalized or token.lstrip or token.rstrip or token.single_word or not token.special:
        return False
    for text in (other.content for other in added if other.content != own):
        if own in text or any(text.endswith(own[:size]) for size in range(1, min(len(own), len(text)))):
            return False
    return True


def leading_blank(tokenizer: PreTrainedTokenizerBase) -> Literal["first", "always", "words"] | None:
    """Whether the core sets a blank before a text: before the first word, or also behind every control token.

    Or before all `words` that an earlier step has cut off (`WhitespaceSplit`, then `Metaspace`, as in XLM-R).
    """
    core = tokenizer.backend_tokenizer
    parts = [json.loads(part.__getstate__()) for part in (core.normalizer, core.pre_tokenizer) if part is not None]
    if any(_blanks(inner) for part in parts for inner in part.get("pretokenizers", [])[1:]):
        return "words"
    found = {kind for part in parts for kind in _blanks(part)}
    return "always" if "always" in found else "first" if "first" in found else None


def _blanks(part: Any) -> set[Literal["first", "always"]]:
    if part is None:
        return set()
    found: set[Literal["first", "always"]] = set()
    for inner in part.get("normalizers", part.get("pretokenizers", [])):
        found |= _blanks(inner)
    if part["type"] == "Metaspace" and part.get("prepend_scheme") in ("first", "always"):
        found.add(part["prepend_scheme"])
    if part["type"] == "Prepend" or (part["type"] == "ByteLevel" and part["add_prefix_space"]):
        found.add("always")
    return found


def _without_blank(part: Any) -> Any:
    if part is None or part["type"] == "Prepend":
        return None
    for key in ("normalizers", "pretokenizers"):
        if key in part:
            part[key] = [one for inner in part[key] if (one := _without_blank(inner)) is not None]
    if part["type"] == "Metaspace":
        part["prepend_scheme"] = "never"
    if part["type"] == "ByteLevel":
        part["add_prefix_space"] = False
    return part
