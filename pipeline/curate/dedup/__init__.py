"""Which rows go in favour of which: the steps of the stage `duplicates` (`pipeline.curate.duplicates` runs them).

    collisions → candidates → (comparisons → stars) until nothing changes → components → breaker

`decide` puts them in order, `bands` chooses how keys are cut, `index` holds what earlier batches kept, and `work` is
the files between the steps.
"""
