"""Pack: kept rows become bins of tokens.

Two stages: `tokens` (render, encode, mark the targets; in parallel over the curated parts) and `packed` (cut or drop
what is too long, deal the rows into bins). Another `pack.seq_length` or `pack.overflow` repeats only the second.
"""

from pipeline.pack.stages import pack, plan, plan_tokens

__all__ = ["pack", "plan", "plan_tokens"]
