"""Which origins and formats use which keys of a source, so that a key without effect is refused."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

__all__ = ["ORIGINS", "unused"]

ORIGINS = ("path", "dataset", "delta", "urls", "target")
"""A source has one of them."""

_FILES = ("path", "dataset", "delta", "urls")
_USED_BY: Mapping[str, Mapping[str, Iterable[str]]] = {
    "config": {"origin": ("dataset", "urls")},
    "split": {"origin": ("dataset", "urls")},
    "revision": {"origin": ("dataset", "urls")},
    "version": {"origin": ("delta",)},
    "args": {"origin": ("target",)},
    "container": {"origin": ("path", "dataset", "urls")},
    "field": {"origin": ("path", "dataset", "urls"), "container": ("auto", "json")},
    "sample_by": {
        "origin": ("path", "dataset", "urls"),
        "format": ("text", "code"),
        "container": ("auto", "document"),
    },
    "max_expansion": {"origin": _FILES},
    "corpus": {"format": ("retrieval",)},
    "tree": {"format": ("openassistant",)},
    "roles": {"format": ("chat", "sharegpt")},
    "system_prompt": {"kind": ("chat",)},
}
"""Key → what the source must be for it to have an effect; every other key always has one."""


def unused(given: Iterable[str], about: Mapping[str, Any]) -> str:
    """Why one of the keys has no effect; empty where all have.

    Args:
        given: keys that were set.
        about: the source's `origin`, `format`, `kind` and `container`; what is absent is not looked at.
    """
    for key in given:
        for what, those in _USED_BY.get(key, {}).items():
            if about.get(what) is not None and about[what] not in those:
                here = f"`{about[what]}`" if what == "origin" else f"`{what}: {about[what]}`"
                there = ", ".join(f"`{one}`" if what == "origin" else f"`{what}: {one}`" for one in those)
                return f"`{key}` has no effect with {here}: it goes with {there}"
    return ""
