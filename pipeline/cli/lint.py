"""`lint-template`: what a chat template does, before anything is trained through it."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pipeline.config import Pack

__all__ = ["add_commands"]

_EXAMPLES = """\
examples:
  lint-template recipe.yaml                        the recipe's tokenizer and template
  lint-template runs/demo                          a run's, as it was packed
  lint-template models/llama                       a tokenizer with its own template
  lint-template models/llama --template llama3     with one of ours, or a .jinja file
  lint-template my.jinja                           a template alone, on bytes and the control tokens that it names
"""


def add_commands(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], shared: argparse.ArgumentParser
) -> None:
    """Add `lint-template` to the parser."""
    lint = commands.add_parser(
        "lint-template",
        parents=[shared],
        help="whether a chat template can be trained exactly; exit code 1 if it cannot",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    lint.add_argument("target", metavar="TARGET", help="a recipe (.yaml), a run, a template (.jinja), or a tokenizer")
    lint.add_argument("overrides", metavar="key.path=value", nargs="*", help="change a key of the recipe")
    lint.add_argument("--tokenizer", metavar="T", help="with a template: the tokenizer, by folder or name")
    lint.add_argument("--template", metavar="J", help="with a tokenizer: the template, as `pack.template` takes it")
    lint.add_argument("--json", action="store_true", help="machine-readable")
    lint.set_defaults(command=_lint)


def _lint(arguments: argparse.Namespace) -> int:
    from pipeline.cli.tables import print_table
    from pipeline.pack.examples import Renderer
    from pipeline.pack.lint import lint
    from pipeline.pack.targets import Targets
    from pipeline.pack.tokenizer import open_tokenizer

    pack, alone = _pack(arguments)
    verdict = lint(Renderer(open_tokenizer(pack, alone=alone), Targets.of(pack)))
    if arguments.json:
        print(json.dumps(verdict.to_json(), indent=1, ensure_ascii=False))
    else:
        rows = [(one.check, one.state, one.found, one.mend) for one in verdict.findings]
        print_table(("check", "state", "found", "mend"), rows)
        print(f"{verdict.state}: template {verdict.template}")
    return 1 if verdict.state == "fail" else 0


def _pack(arguments: argparse.Namespace) -> tuple[Pack, bool]:
    """The `pack` section that the arguments mean, and whether a template stands alone."""
    from pipeline.config import Pack
    from pipeline.errors import RecipeError

    target: str = arguments.target
    resolved, packed = Path(target, "recipe.yaml"), Path(target, "tokenizer")
    is_run = resolved.is_file() and packed.is_dir()
    if is_run or target.endswith((".yaml", ".yml")):
        from pipeline.recipe import load_recipe

        pack = load_recipe(str(resolved) if is_run else target, arguments.overrides).pack
        if is_run:
            pack = pack.model_copy(update={"tokenizer": str(packed)})
        changed = {key: value for key in ("tokenizer", "template") if (value := getattr(arguments, key)) is not None}
        return pack.model_copy(update=changed), False
    if arguments.overrides:
        raise RecipeError(
            f"override {arguments.overrides[0]!r}: only a recipe has keys", mend="use --tokenizer and --template"
        )
    if target.endswith(".jinja"):
        return Pack(tokenizer=arguments.tokenizer, template=target), arguments.tokenizer is None
    return Pack(tokenizer=target, template=arguments.template or "default"), False
