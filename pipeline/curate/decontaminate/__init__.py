"""Rows that hold what a model is evaluated on: n-grams of words that they share with evaluation sets.

`index` holds the n-grams of texts, `evaluation` makes it of the files that a recipe names, `matches` says which rows
share enough of a text, `cut` takes the words out; `held_out` does the same with the run's own test split by the steps
of `holding`, `series` with the earlier batches of a series (`trained_on`: what those were trained on); `outcome` says
what they take out.
"""
