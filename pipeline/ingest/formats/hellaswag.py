"""`{"ctx": "…", "endings": ["…", …], "label": 2}`: a beginning and its right ending."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from pipeline.config import Source
from pipeline.ingest.exact_json import Record, json_type
from pipeline.ingest.formats.conversation import Conversation, Message
from pipeline.ingest.formats.values import list_at, text_at
from pipeline.ingest.plain import Strings
from pipeline.ingest.rejected import Rejected, missing_key

__all__ = ["HellaSwag"]


class HellaSwag:
    """Reads multiple choice: the ending that the label names is the answer; endings and label stay in the metadata."""

    kinds: ClassVar[tuple[str, ...]] = ("pair",)
    keys: ClassVar[tuple[str, ...]] = ("ctx", "endings", "label")
    optional: ClassVar[tuple[str, ...]] = ()

    def __init__(self, source: Source, columns: Mapping[str, str]) -> None:
        self._ctx, self._endings, self._label = columns["ctx"], columns["endings"], columns["label"]
        self._used = frozenset((self._ctx,))
        self.needed: tuple[str, ...] = (self._ctx, self._endings, self._label)
        self.strings: Strings = ()

    def read(self, record: Record) -> Conversation:
        """`user` is the context, `assistant` the ending."""
        context = text_at(record.values, self._ctx)
        endings = list_at(record.values, self._endings)
        label = self._number(record.values)
        if not 0 <= label < len(endings):
            raise Rejected("wrong_label", f"{self._label!r} names none of {len(endings)} endings")
        ending = text_at({self._endings: endings[label]}, self._endings, f"ending {label + 1}: ")
        return Conversation((Message("user", context), Message("assistant", ending)), None, record.rest(self._used))

    def _number(self, values: Mapping[str, Any]) -> int:
        """The label: a number, or its digits as the hub's copy has them; rows of the test split have none."""
        if self._label not in values:
            raise missing_key(self._label, values)
        label = values[self._label]
        if isinstance(label, int) and not isinstance(label, bool):
            return label
        if isinstance(label, str) and label.isascii() and label.isdigit():
            return int(label)
        what = "empty" if label == "" else json_type(label)
        raise Rejected("wrong_label", f"{self._label!r} is {what}, not the number of an ending")
