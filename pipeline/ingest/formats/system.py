"""A system message for the conversations that have none: `system_prompt` of a source."""

from __future__ import annotations

from pipeline.ingest.exact_json import Record
from pipeline.ingest.formats.adapter import Adapter, Read
from pipeline.ingest.formats.conversation import Conversation, Message
from pipeline.ingest.plain import Strings
from pipeline.ingest.rejected import Rejected

__all__ = ["WithSystem"]

_SYSTEM = ("system", "developer")


class WithSystem:
    """Reads as another adapter does, and puts a system message before a conversation that begins with none.

    Args:
        adapter: of the source's format.
        prompt: what the system message says.
    """

    def __init__(self, adapter: Adapter, prompt: str) -> None:
        self._adapter = adapter
        self._message = Message("system", prompt)
        self.needed = adapter.needed
        self.strings: Strings = ()

    def read(self, record: Record) -> Read:
        """The rows of the record, each with a system message."""
        read = self._adapter.read(record)
        return [self._begun(one) for one in read] if isinstance(read, list) else self._with(read)

    def _begun(self, one: Conversation | Rejected) -> Conversation | Rejected:
        return self._with(one) if isinstance(one, Conversation) else one

    def _with(self, one: Conversation) -> Conversation:
        if one.messages[0].role in _SYSTEM:
            return one
        return one._replace(messages=(self._message, *one.messages))
