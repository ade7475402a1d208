"""A run lives in one directory: manifests, fingerprints, atomic parts, resume.

    run = RunDirectory.open(recipe)
    stage = Stage(run, name="documents", version=1, config={…}, inputs={…}, folders=("documents", "keys"))
    if stage.manifest() is None:                    # not there, or made from something else: `stage.why()`
        done = stage.begin()                        # parts that a killed run finished, by name
        …for every other part, on any worker: write the files atomically, then stage.commit(name, files, counts)
        stage.finish(rows={…}, summary={…})         # the manifests, last

A part's *record* (`<folder>/_parts/<part>.json`) is written after its files, so a part counts only when
every file of it is whole. `finish` turns the records into one `_manifest.json` in each folder. Nothing in
a folder depends on time, machine or order of work: an interrupted and resumed run ends with the same bytes.
"""

from __future__ import annotations

from pipeline.run.directory import RunDirectory
from pipeline.run.manifest import MANIFEST, Manifest, PartRecord, Rows
from pipeline.run.stage import Stage

__all__ = ["MANIFEST", "Manifest", "PartRecord", "Rows", "RunDirectory", "Stage"]
