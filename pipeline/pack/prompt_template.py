"""A prompt template with named fields, made into a chat template.

    template: "Question: {input} Context: {context} Answer: {output}"

So the model's folder has a chat template like any other, and a server that applies it sends the very prompt that was
trained. `{input}` is the question, `{output}` the answer, `{system}` the system prompt; any other field is a key of the
row's metadata and comes to the template as `fields`. One blank before `{output}` belongs to the answer: tokenizers
join it to the word that follows, and a prompt that ends with it would be continued by no token that was trained.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from string import Formatter

from pipeline.errors import InputError, did_you_mean
from pipeline.ingest.rejected import nameable

__all__ = ["chat_template_of", "is_prompt_template", "named_fields", "row_fields"]

_HEAD = "{#- prompt template: "
_FIELD = re.compile(r"(?<!\{)(\{\{)*\{[A-Za-z_][\w.-]*\}(\}\})*(?!\})")
_MESSAGES = ("system", "input", "output")
"""Fields that are messages of the row."""


def is_prompt_template(text: str) -> bool:
    """Whether `text` names fields and is no Jinja."""
    return _FIELD.search(text) is not None and "{%" not in text


def chat_template_of(text: str, *, bos: bool) -> str:
    """The chat template that writes a question and its answer as `text` says.

    Args:
        text: of the recipe.
        bos: begin with the tokenizer's begin-of-sequence token.

    Raises:
        InputError: `{output}` is not the last field once, or a brace is not closed.
    """
    parts = _parts(text)
    names = [name for _, name in parts if name is not None]
    if names.count("output") != 1 or parts[-1] != (parts[-1][0], "output") or "input" not in names:
        raise InputError(
            "a prompt template has `{input}` and ends with `{output}`"
            + (did_you_mean("output", names) if "output" not in names else ""),
            where=f"pack.template: {text}",
            mend='write it as "Question: {input} Answer: {output}"; text after the answer is the end token\'s place',
        )
    if "#}" in text:
        raise InputError(
            "a prompt template cannot hold `#}`",
            where=f"pack.template: {text}",
            mend="write it as a chat template, in a .jinja file",
        )
    lead = parts[-1][0]
    blank = " " if lead.endswith(" ") else ""
    lines = [
        f"{_HEAD}{_quoted(text)} -#}}",
        "{%- set system = messages[0].content if messages[0].role == 'system' else none %}",
        "{%- set turns = messages[1:] if messages[0].role == 'system' else messages %}",
        "{%- if turns[-1].tool_calls or turns[-1].reasoning_content %}",
        "    {{- raise_exception('a prompt template writes contents only, and the answer has more') }}",
        "{%- endif %}",
        "{%- set roles = turns | map(attribute='role') | list %}",
        "{%- if tools or roles not in (['user'], ['user', 'assistant']) %}",
        "    {{- raise_exception('a prompt template takes one question, one answer and no tools') }}",
        "{%- endif %}",
    ]
    if "system" not in names:
        lines += [
            "{%- if system %}",
            "    {{- raise_exception('the prompt template has no {system}, and the row has one') }}",
            "{%- endif %}",
        ]
    if bos:
        lines.append("{{- bos_token }}")
    for literal, name in parts[:-1]:
        lines += [_literal(literal), f"{{{{- {_variable(str(name))} }}}}"]
    lines += [
        _literal(lead.removesuffix(blank) if blank else lead),
        "{%- if turns | length > 1 %}",
        f"    {{%- generation %}}{{{{- {_quoted(blank)} + turns[1].content + eos_token }}}}{{%- endgeneration %}}",
        "{%- endif %}",
    ]
    return "\n".join(line for line in lines if line)


def named_fields(template: str) -> list[str]:
    """The fields of a chat template that `chat_template_of` made, in their order; none of any other."""
    if not template.startswith(_HEAD):
        return []
    head = template[len(_HEAD) : template.index(" -#}\n")]
    return [name for _, name in _parts(json.loads(head)) if name is not None]


def row_fields(names: list[str], metadata: Mapping[str, object]) -> dict[str, str]:
    """The values of the fields that are not messages, out of a row's metadata.

    Raises:
        InputError: the row lacks one; the message offers the nearest key.
    """
    found = {}
    for name in names:
        if name in _MESSAGES:
            continue
        value = metadata.get(name)
        if value is None:
            known = [*_MESSAGES, *nameable(metadata)]
            raise InputError(
                f"the row has no field {name!r}{did_you_mean(name, known)}",
                where="pack.template",
                mend="its fields are: " + ", ".join(known),
            )
        found[name] = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return found


def _parts(text: str) -> list[tuple[str, str | None]]:
    try:
        parts = [(literal, name) for literal, name, _, _ in Formatter().parse(text)]
        if any(name == "" for _, name in parts):
            raise ValueError("a field has no name")
    except ValueError as error:
        raise InputError(
            f"the prompt template cannot be read: {error}",
            where=f"pack.template: {text}",
            mend="write fields as {input}, and a brace of the text twice: {{",
        ) from None
    return parts


def _literal(text: str) -> str:
    return f"{{{{- {_quoted(text)} }}}}" if text else ""


def _variable(name: str) -> str:
    return {"input": "turns[0].content", "system": "(system or '')", "output": "turns[1].content"}.get(
        name, f"fields[{_quoted(name)}]"
    )


def _quoted(text: str) -> str:
    """A string constant of Jinja, which has JSON's escapes."""
    return json.dumps(text, ensure_ascii=False)
