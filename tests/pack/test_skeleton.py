"""Filling in what was rendered once gives what rendering gives, whatever the template does with a content."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.errors import InputError
from pipeline.pack.prompt_template import chat_template_of
from pipeline.pack.render import Template
from pipeline.pack.shipped import _TOKENS, NAMES, shipped


def turn(body: str) -> str:
    """A template that writes every message's role and then `body`."""
    head = "{% if add_generation_prompt %}<assistant>{% endif %}"
    return "{% for m in messages %}<{{ m.role }}>" + body + "{% endfor %}" + head


FILLED_IN = {
    "content": turn("{{ m.content }}"),
    "item": turn("{{ m['content'] }}{{ eos_token }}"),
    "joined": turn("{{ 'a' + m.content + 'b' }}"),
    "trimmed": turn("{{ 'a' + m.content | trim }}"),
    "empty": turn("{% if m.content %}{{ m.content }}{% else %}nothing{% endif %}"),
    "empty trimmed": turn("{{ (m.content | trim) or 'nothing' }}"),
    "string": turn("{% if m.content is string and m.content is not none %}{{ m.content }}{% endif %}"),
    "namespace": "{% set ns = namespace(x='') %}" + turn("{% set ns.x = ns.x + m.content %}") + "{{ ns.x }}",
    "tagged": turn("{% generation %}{{ m.content }}{{ eos_token }}{% endgeneration %} "),
    "filter": "{% for m in messages | selectattr('role', 'equalto', 'user') %}{{ m.content }}{% endfor %}",
}
RENDERED = {
    "length": turn("{{ m.content | length }}{{ m.content }}"),
    "method": turn("{{ m.content.strip() }}"),
    "cut": turn("{{ m.content[:2] }}"),
    "holds": turn("{% if 'a' in m.content %}A{% endif %}{{ m.content }}"),
    "equal": turn("{{ m.content if m.content == 'a' else 'other' }}"),
    "tilde": turn("{{ ('a' ~ m.content) | length }}"),
    "percent": turn("{{ ('%s' % m.content) | upper }}"),
    "format": turn("{{ '{}'.format(m.content) | upper }}"),
    "joined list": "{{ messages | map(attribute='content') | join('|') | upper }}",
    "json": turn("{{ m | tojson }}"),
    "upper": turn("{{ m.content | upper }}"),
    "block": turn("{% set x %}{{ m.content }}{% endset %}{{ x | length }}"),
    "macro": "{% macro f(x) %}{{ x }}{% endmacro %}" + turn("{{ f(m.content) | trim }}"),
    "loop": turn("{% for c in m.content %}{{ c }}.{% endfor %}"),
    "key": turn("{{ {'a': 1}[m.content] }}{{ m.content }}"),
    "changed": turn("{% if loop.changed(m.content) %}new{% endif %}"),
    "trimmed of": turn("{{ m.content | trim('a') }}"),
    "repeated": turn("{{ m.content * 2 }}"),
    "clock": turn("{{ m.content }}{{ strftime_now('%Y') }}"),
}
contents = st.one_of(st.sampled_from(["", " ", "a", " a\n", "{{ x }}", "</think>b"]), st.text(max_size=8))
rows = st.lists(st.tuples(st.sampled_from(["user", "assistant", "tool"]), contents), min_size=1, max_size=4)


def rendered(template: Template, messages: list[dict[str, Any]], prompt: bool) -> tuple[Any, ...]:
    return template._jinja(messages, None, {}, add_generation_prompt=prompt, roles=[])


@pytest.mark.parametrize("name", [*FILLED_IN, *RENDERED])
@given(st.lists(rows, min_size=1, max_size=8), st.booleans())
@settings(deadline=None, max_examples=10)
def test_every_row_is_as_if_it_were_rendered(name: str, drawn: list[list[tuple[str, str]]], prompt: bool) -> None:
    template = Template({**FILLED_IN, **RENDERED}[name], {"eos_token": "</s>"}, ["</s>"])
    for row in [*drawn, *drawn]:
        messages = [{"role": role, "content": content} for role, content in row]
        try:
            expected = rendered(template, messages, prompt)
        except InputError:
            with pytest.raises(InputError):
                template.render(messages, add_generation_prompt=prompt)
            continue
        found = template.render(messages, add_generation_prompt=prompt)
        assert (found.text, found.generated) == expected


@pytest.mark.parametrize(("name", "expected"), [*((n, True) for n in FILLED_IN), *((n, False) for n in RENDERED)])
def test_only_a_template_that_looks_into_no_content_is_filled_in(name: str, expected: bool) -> None:
    template = Template({**FILLED_IN, **RENDERED}[name], {"eos_token": "</s>"}, ["</s>"])
    template.render([{"role": "user", "content": "one"}, {"role": "assistant", "content": "two"}])
    assert any(template.skeletons._known.values()) == expected


@pytest.mark.parametrize("name", NAMES)
def test_every_template_of_ours_is_filled_in(name: str) -> None:
    template = Template(
        shipped(name, _TOKENS.get(name, ())), {"bos_token": "<s>", "eos_token": "</s>"}, ["<s>", "</s>"]
    )
    for number in range(3):
        messages = [{"role": "user", "content": f" {number}"}, {"role": "assistant", "content": f"a{number}\n"}]
        found = template.render(messages)
        assert (found.text, found.generated) == rendered(template, messages, False)
    assert any(template.skeletons._known.values())


def test_fields_of_a_prompt_template_are_filled_in() -> None:
    source = chat_template_of("{context}\nQuestion: {input} Answer: {output}", bos=False)
    template = Template(source, {"eos_token": "</s>"}, ["</s>"])
    for number in range(3):
        messages = [{"role": "user", "content": f"q{number}"}, {"role": "assistant", "content": "a"}]
        fields = {"context": f"c{number}"}
        expected = template._jinja(messages, None, fields, add_generation_prompt=False, roles=[])
        found = template.render(messages, fields=fields)
        assert (found.text, found.generated) == expected
    assert any(template.skeletons._known.values())


LOOKED_AT = {
    "attribute": turn("{{ m.frames }}"),
    "subscript": turn("{{ m['frames'] }}"),
    "got": turn("{{ m.get('frames', 'none') }}"),
    "held": turn("{% if 'frames' in m %}F{% endif %}{{ m.content }}"),
    "defined": turn("{% if m.frames is defined %}F{% endif %}{{ m.content }}"),
    "items": turn("{% for key, value in m.items() %}{{ key }}{{ value }}{% endfor %}"),
    "filtered items": turn("{% for key, value in m | items %}{{ key }}{% endfor %}"),
    "sorted": turn("{{ (m | dictsort)[0][0] }}"),
    "keys": turn("{% for key in m %}{{ key }}{% endfor %}"),
    "listed": turn("{{ m | list | length }}"),
    "length": turn("{{ m | length }}"),
    "equal": turn("{{ m == messages[0] }}"),
    "every": "{{ messages | map(attribute='frames') | join('|') }}",
    "json": turn("{{ m | tojson }}"),
    "whole": turn("{{ m }}"),
}
others = st.dictionaries(st.sampled_from(["frames", "rank"]), st.sampled_from(["", "f", 0, 1.5, None, ["x"]]))
rows_of_more = st.lists(st.tuples(st.sampled_from(["user", "assistant"]), contents, others), min_size=1, max_size=3)


@pytest.mark.parametrize("name", [*FILLED_IN, *LOOKED_AT])
@given(st.lists(rows_of_more, min_size=1, max_size=8))
@settings(deadline=None, max_examples=6)
def test_rows_with_other_keys_are_as_if_they_were_rendered(name: str, drawn: list[Any]) -> None:
    template = Template({**FILLED_IN, **LOOKED_AT}[name], {"eos_token": "</s>"}, ["</s>"])
    for row in [*drawn, *drawn]:
        messages = [{"role": role, "content": content, **other} for role, content, other in row]
        try:
            expected = rendered(template, messages, False)
        except InputError:
            with pytest.raises(InputError):
                template.render(messages)
            continue
        found = template.render(messages)
        assert (found.text, found.generated) == expected


@pytest.mark.parametrize(("name", "expected"), [*((n, True) for n in FILLED_IN), *((n, False) for n in LOOKED_AT)])
def test_other_keys_that_no_template_looks_at_cost_no_rendering(name: str, expected: bool) -> None:
    template = Template({**FILLED_IN, **LOOKED_AT}[name], {"eos_token": "</s>"}, ["</s>"])
    for frames in ("one", "two"):
        template.render([{"role": "user", "content": frames, "frames": frames}])
    assert [skeleton is not None for skeleton in template.skeletons._known.values()] == [expected]
