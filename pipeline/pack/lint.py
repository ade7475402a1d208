"""What a chat template does, tried on small conversations: the verdict that is stored with the bins.

Nothing is read off the template's text. Each question is put to it: render a conversation as it would be trained, and
its beginning as a server would render it, and compare.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from pipeline import fingerprint
from pipeline.errors import InputError
from pipeline.pack.examples import Renderer, adds_bos
from pipeline.pack.probe import ASK, CONVERSATIONS, REASONED, Probe, refusal, row_of
from pipeline.pack.probe_rows import Taken, learnt, written
from pipeline.pack.shipped import fitting
from pipeline.pack.targets import Conversation, Targets, answers
from pipeline.pack.verdict import Finding, Verdict

__all__ = ["lint"]


def lint(renderer: Renderer) -> Verdict:
    """Try the template of a renderer; what is wrong with it is in the verdict, and raises nothing.

    Of what the recipe learns only `pack.loss` counts, and only for how many answers must be learnt: the rest is no
    property of the template.
    """
    plain = renderer.learning(Targets())
    template = fingerprint.of_bytes(plain.template.source.encode())
    try:
        probe = Probe(plain, *CONVERSATIONS["one turn"])
    except InputError as error:
        only = Finding(check="renders", state="fail", found=error.what, mend=error.mend)
        return Verdict(template=template, findings=(only,), stops=())
    refused = {name: why for name, one in CONVERSATIONS.items() if (why := refusal(plain, *one))}
    taken = {name: one for name, one in CONVERSATIONS.items() if name not in refused}
    tags = "yes" if plain.template.tagged else "none: answers are found by rendering up to each of them"
    findings = [
        Finding(check="renders", state="pass", found="a question and an answer"),
        Finding(check="generation_tags", state="pass", found=tags),
        *_first_turn(plain, probe),
        _bos(plain, probe.tokens),
        _prefix(plain, taken),
        _history(plain, taken),
        written(plain, taken),
        learnt(plain.learning(Targets(loss=renderer.targets.loss)), taken),
        _reasoning(plain),
        _served(plain, taken),
        _takes(refused),
    ]
    return Verdict(template=template, findings=tuple(findings), stops=tuple(probe.stops))


def _first_turn(renderer: Renderer, probe: Probe) -> Iterator[Finding]:
    width = len(probe.prompt)
    if probe.tokens[:width] == probe.prompt and not any(probe.loss[:width]):
        yield Finding(check="serving_parity", state="pass", found="training begins with exactly what a server sends")
    else:
        yield Finding(
            check="serving_parity",
            state="fail",
            found="training does not begin with what a server sends as the prompt (`add_generation_prompt`)",
            mend="let `add_generation_prompt` write the very text that stands before an answer",
        )
    before, found, after = probe.trained.partition(probe.answer)
    own = (before + after.removesuffix(probe.end)).strip()
    if not found:
        yield Finding(
            check="exact_mask",
            state="fail",
            found="the assistant's text is not what is between its generation tags",
            mend="put {% generation %} … {% endgeneration %} around the answer and its end token",
        )
    elif own:
        yield Finding(
            check="exact_mask",
            state="warn",
            found=f"beside the answer, {own!r} is learnt, which the template writes into it",
            mend="leave it if the model shall write this; else " + _instead(renderer),
        )
    else:
        yield Finding(check="exact_mask", state="pass", found="the answer and its end token, nothing else")
    if probe.end:
        yield Finding(check="stop_token", state="pass", found=f"learnt: {probe.end}")
    else:
        yield Finding(
            check="stop_token",
            state="fail",
            found="the token that ends an answer is not learnt, so the model would never stop",
            mend="set the end token inside the generation tags, and give the tokenizer an `eos_token`",
        )


def _bos(renderer: Renderer, tokens: Sequence[int]) -> Finding:
    bos = renderer.tokenizer.bos_token_id
    if bos is not None and list(tokens[:2]) == [bos, bos]:
        mend = "take {{ bos_token }} out of one of the two places that set it"
        return Finding(check="bos", state="fail", found="the begin-of-sequence token stands twice", mend=mend)
    if bos is not None and tokens[:1] == [bos]:
        return Finding(check="bos", state="pass", found="once")
    if adds_bos(renderer.tokenizer):
        found, mend = (
            "none, though the tokenizer sets one in front of a text",
            "begin the template with {{ bos_token }}",
        )
        return Finding(check="bos", state="warn", found=found, mend=mend)
    return Finding(check="bos", state="pass", found="none, as the tokenizer has it")


def _prefix(renderer: Renderer, taken: Taken) -> Finding:
    """Whether what a server sends for each answer is how the whole conversation begins."""
    bad = []
    for name, one in taken.items():
        row = row_of(renderer, *one)
        whole = renderer.template.render(row.messages, row.tools, row.fields).text
        prompts = ("".join(piece.text for piece in renderer.prompt(before)) for before, _ in _turns(renderer, row))
        if not all(whole.startswith(prompt) for prompt in prompts):
            bad.append(name)
    if not bad:
        found = "every prompt is the beginning of the whole text"
        return Finding(check="prefix_preserving", state="pass", found=found)
    found = "a prompt is not the beginning of the whole text, with " + ", ".join(bad)
    return Finding(check="prefix_preserving", state="warn", found=found, mend=_instead(renderer))


def _history(renderer: Renderer, taken: Taken) -> Finding:
    """Whether an answer is written otherwise once more follows."""
    bad = []
    for name, one in taken.items():
        row = row_of(renderer, *one)
        whole = renderer.template.render(row.messages, row.tools, row.fields).text
        for _, turn in _turns(renderer, row):
            alone = renderer.template.render(turn.messages, turn.tools, turn.fields)
            span = list(answers(renderer.template, turn, alone).values())[-1:]
            if not span or whole[: span[0][1]] != alone.text[: span[0][1]]:
                bad.append(name)
                break
    if not bad:
        return Finding(check="history_rewritten", state="pass", found="no: a turn stays as it was generated")
    kept = "learnt otherwise than they are generated" if renderer.template.tagged else "refused"
    return Finding(
        check="history_rewritten",
        state="warn",
        found=f"yes, with {', '.join(bad)}: earlier answers of such rows are {kept}",
        mend=_instead(renderer) + ", or `pack.loss: last_answer`",
    )


def _turns(renderer: Renderer, row: Conversation) -> Iterator[tuple[Conversation, Conversation]]:
    """The row up to each answer, and up to its end; without answers for which the template cannot be asked."""
    for number, message in enumerate(row.messages):
        if message["role"] == "assistant":
            before, after = (
                Conversation(messages=row.messages[:last], tools=row.tools, fields=row.fields)
                for last in (number, number + 1)
            )
            try:
                renderer.prompt(before)
            except InputError:  # an answer before the first question, say: no server sends that
                continue
            yield before, after


def _reasoning(renderer: Renderer) -> Finding:
    if refusal(renderer, [ASK, REASONED], None):
        return Finding(check="reasoning", state="warn", found="refused", mend=_instead(renderer))
    if str(REASONED["reasoning_content"]) in Probe(renderer, [ASK, REASONED]).trained:
        return Finding(check="reasoning", state="pass", found="learnt where a row has `reasoning_content`")
    return Finding(
        check="reasoning",
        state="warn",
        found="`reasoning_content` is not written, or not learnt: rows that have it lose it",
        mend=_instead(renderer),
    )


def _served(renderer: Renderer, taken: Taken) -> Finding:
    """Whether `apply_chat_template` of transformers gives the tokens that are trained."""
    differ = []
    for name, one in taken.items():
        row = row_of(renderer, *one)
        before = Conversation(messages=row.messages[:-1], tools=row.tools, fields=row.fields)
        if renderer.encode([renderer.prompt(before)]).tokens.tolist() != renderer.served(before):
            differ.append(name)
    if not differ:
        return Finding(check="served_tokens", state="pass", found="those of transformers' apply_chat_template")
    return Finding(
        check="served_tokens",
        state="warn",
        found="apply_chat_template cuts the same text into other tokens, with " + ", ".join(differ),
        mend="serve through `render_prompt`, or take a template whose turns end in a control token",
    )


def _takes(refused: Mapping[str, str]) -> Finding:
    if not refused:
        return Finding(check="takes", state="pass", found=", ".join(CONVERSATIONS))
    found = "refuses " + "; ".join(f"{name} ({why})" for name, why in refused.items())
    return Finding(check="takes", state="warn", found=found, mend="a row that has it fails the stage `tokens`")


def _instead(renderer: Renderer) -> str:
    return "choose one of " + ", ".join(fitting(renderer.tokenizer.get_vocab()))
