"""A compiler for a process that does nothing but fill the cache: of a loop and its kernels it makes one machine code.

Numba compiles every function for itself: its machine code, two wrappers with which Python could call it, files in the
cache; then the optimised code of all that it calls goes into it and is optimised again, at each level of calls. But
Python calls loops over rows, and a loop's machine code holds all kernels below it. So here a kernel that is met while
its caller is typed stays as it was lowered, and only the loop is linked, optimised, turned into machine code and kept.

Type inference and lowering are Numba's own. Of the passes before them those are left out that concern what no kernel
has: closures, `with`, object mode, unrolled tuples, inlined overloads, expressions over whole arrays. Nor is a kernel
compiled anew for each constant that it is called with. The machine code is not the same to the byte, the results are.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numba.core import typed_passes, types, untyped_passes
from numba.core.caching import FunctionCache
from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import CompilerBase
from numba.core.compiler_machinery import LoweringPass, PassManager, register_pass

from pipeline.text.kernel import DISPATCHERS

__all__ = ["compile_whole_loops"]


def compile_whole_loops() -> None:
    """Let every kernel and loop be compiled so from now on, in this process, which must do nothing else.

    A kernel that has become part of a loop cannot be called from Python here: the call raises a `KeyError` or a
    `TypeError`.
    """
    for dispatcher in DISPATCHERS:
        dispatcher._compiler.pipeline_class = _Compiler
        dispatcher._compiler.fold_argument_types = _without_constants(dispatcher._compiler.fold_argument_types)
    keep = FunctionCache.save_overload

    def save_overload(self: FunctionCache, signature: Any, result: Any) -> None:
        if not isinstance(result.library, _Lowered):
            keep(self, signature, result)

    FunctionCache.save_overload = save_overload


def _without_constants(fold: Callable[..., Any]) -> Callable[..., Any]:
    """Take `int64` for the type of a constant, as of any other integer."""

    def fold_argument_types(arguments: Any, keywords: Any) -> tuple[Any, tuple[Any, ...]]:
        signature, folded = fold(arguments, keywords)
        return signature, tuple(types.unliteral(one) for one in folded)

    return fold_argument_types


class _Lowered(JITCodeLibrary):  # type: ignore[misc]
    """A kernel as it was lowered: nothing is optimised or made machine code before a loop takes it in."""

    def add_llvm_module(self, module: Any) -> None:
        self._final_module.link_in(module)

    def finalize(self) -> None:
        self._raise_if_finalized()
        self._finalized = True


class _Whole(JITCodeLibrary):  # type: ignore[misc]
    """A loop with everything that it calls, directly or not, each once."""

    def add_llvm_module(self, module: Any) -> None:
        self._final_module.link_in(module)

    def add_linking_library(self, library: Any) -> None:
        if library in self._linking_libraries:
            return
        super().add_linking_library(library)
        if isinstance(library, _Lowered):
            for below in library._linking_libraries:
                self.add_linking_library(below)


class _Compiler(CompilerBase):  # type: ignore[misc]
    """What is met while a caller is typed is lowered; what Python calls is compiled whole."""

    def define_pipelines(self) -> list[PassManager]:
        state = self.state
        is_called_by_a_kernel = len(state.typingctx.callstack) > 0
        library = _Lowered if is_called_by_a_kernel else _Whole
        state.library = library(state.targetctx.codegen(), state.func_id.func_qualname)
        passes = [
            untyped_passes.TranslateByteCode,
            untyped_passes.FixupArgs,
            untyped_passes.IRProcessing,
            untyped_passes.GenericRewrites,
            untyped_passes.ReconstructSSA,
            typed_passes.NopythonTypeInference,
            typed_passes.PreLowerStripPhis,
            typed_passes.IRLegalization,
            typed_passes.AnnotateTypes,
            typed_passes.NativeLowering,
        ]
        if is_called_by_a_kernel:
            state.flags.no_cpython_wrapper = True
            state.flags.no_compile = True
            passes.append(_MakeKnown)
        else:
            state.library.enable_object_caching()
        pipeline = PassManager("whole loops")
        for one in [*passes, typed_passes.NoPythonBackend]:
            pipeline.add_pass(one, one.name())
        pipeline.finalize()
        return [pipeline]


@register_pass(mutates_CFG=False, analysis_only=False)
class _MakeKnown(LoweringPass):  # type: ignore[misc]
    """Tell the callers of a kernel where it is, as `NativeLowering` does of one that has machine code."""

    _name = "make_known"

    def __init__(self) -> None:
        LoweringPass.__init__(self)

    def run_pass(self, state: Any) -> bool:
        # Callers look a kernel up by the function that Python would call. The dispatcher takes only a built-in, so
        # this is one that is its own and that refuses whatever arguments it gets.
        entry = dict[object, object]().__getitem__
        state["cr"] = state["cr"]._replace(cfunc=entry)
        state.targetctx.insert_user_function(entry, state["cr"].fndesc, [state.library])
        return True
