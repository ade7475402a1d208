"""How the comments of each row are written, so that their share can be measured."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.config import Source
from pipeline.text.comments import FAMILIES

__all__ = ["UNKNOWN", "families_of"]

UNKNOWN = -1
"""The family of a row whose comments are not known."""

_PATHS = ("path", "file", "filename", "name")
_LANGUAGES = ("language", "lang")

_EXTENSIONS = {
    "python": "py pyi pyw pyx pxd",
    "hash": "sh bash zsh fish ksh rb rake gemspec pl pm r jl yaml yml toml mk mak cmake tcl ps1 psm1 ex exs cr nim awk "
    "coffee gd nix graphql gql tf hcl conf properties",
    "c": "c h cc cpp cxx c++ hh hpp hxx h++ cu cuh inl java js jsx mjs cjs ts tsx mts cts cs go rs swift kt kts scala "
    "dart groovy gradle php css scss less proto sol zig v sv svh vh d glsl hlsl wgsl mm json5 jsonc",
    "dash": "sql psql lua hs lhs elm purs ada adb ads vhd vhdl applescript",
    "semicolon": "lisp lsp el clj cljs cljc edn scm ss rkt asm nasm",
    "percent": "tex sty ltx erl hrl prolog",
    "xml": "xml html htm xhtml svg xsl xslt xsd rss atom vue",
}
"""Extensions of files. What several families use (`.m`, `.s`, `.cl`, `.cls`, `.pro`) is not among them."""

_FILES = {"hash": "makefile gnumakefile dockerfile containerfile gemfile rakefile vagrantfile cmakelists.txt"}
"""Whole names of files."""

_NAMES = {
    "python": "python python3 cython",
    "hash": "shell bash sh zsh ruby perl r julia yaml toml make makefile cmake tcl powershell elixir crystal nim awk "
    "dockerfile coffeescript nix graphql hcl terraform",
    "c": "c c++ cpp cuda java javascript typescript jsx tsx c# csharp c-sharp go golang rust swift kotlin scala dart "
    "groovy php css scss less protobuf solidity zig verilog systemverilog d glsl objective-c",
    "dash": "sql plsql plpgsql lua haskell elm purescript ada vhdl applescript",
    "semicolon": "lisp common-lisp emacs-lisp clojure scheme racket assembly asm",
    "percent": "tex latex erlang prolog matlab octave",
    "xml": "xml html xhtml svg xslt vue",
}
"""Names of languages, in lower case, blanks as hyphens."""


def _codes(names: Mapping[str, str]) -> dict[str, int]:
    return {name: FAMILIES.index(family) for family, line in names.items() for name in line.split()}


_BY_EXTENSION = _codes(_EXTENSIONS)
_BY_FILE = _codes(_FILES)
_BY_LANGUAGE = _codes(_NAMES)


def families_of(table: pa.Table, sources: Iterable[Source]) -> np.ndarray:
    """Say for every row how its comments are written.

    A source's `comments` names the family. With `auto` a row of kind `code` is told by the first of these that is
    known: the name of a file in its metadata (`path`, `file`, `filename` or `name`), the language there (`language` or
    `lang`), the name of the shard in its id. Rows of other kinds have none.

    Args:
        table: Rows as in `schema.ROWS`, of these sources.
        sources: The recipe's.

    Returns:
        int8 array (rows): places in `FAMILIES`, or `UNKNOWN`.
    """
    families = np.full(table.num_rows, UNKNOWN, np.int8)
    for source in sources:
        mine = pc.equal(table["source"], source.name)
        if source.comments in FAMILIES:
            families[mine.to_numpy()] = FAMILIES.index(source.comments)
        elif source.comments == "auto":
            mine = pc.and_(mine, pc.equal(table["kind"], "code"))
            rows = table.select(["id", "metadata"]).filter(mine)
            families[mine.to_numpy()] = [
                _family(identity, metadata)
                for identity, metadata in zip(rows["id"].to_pylist(), rows["metadata"].to_pylist(), strict=True)
            ]
    return families


def _family(identity: str, metadata: str | None) -> int:
    known = json.loads(metadata) if metadata else {}
    for key in _PATHS:
        if (family := _of_file(known.get(key))) != UNKNOWN:
            return family
    for key in _LANGUAGES:
        value = known.get(key)
        if isinstance(value, str):
            family = _BY_LANGUAGE.get("-".join(value.lower().split()), UNKNOWN)
            if family != UNKNOWN:
                return family
    return _of_file(identity.rpartition("#")[0])


def _of_file(path: object) -> int:
    if not isinstance(path, str):
        return UNKNOWN
    name = PurePosixPath(path.replace("\\", "/")).name.lower()
    if name in _BY_FILE:
        return _BY_FILE[name]
    _, dot, extension = name.rpartition(".")
    return _BY_EXTENSION.get(extension, UNKNOWN) if dot else UNKNOWN
