"""Text that many rows share word for word: the steps of the stage `substrings` (`stage` runs them).

    texts → search (over tables) → passages
                 └─ cut, and again, until nothing is cut

`docs/substrings.md` states what is found and what a cut does; `apply` hands the rows that were cut to pass two.
"""
