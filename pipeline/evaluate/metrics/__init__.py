"""Scores of generated answers: which measures a row has, and the controls that the scorers must pass."""
