"""What other bounds would do: reads `signals/` of a finished run, never a text.

    sweep(run, ["word_count.min=20,50,100"])     rows kept and dropped for each value, by source
    removals(run)                                what each rule of the run removes, alone and in all

Rows are counted as the rules see them: after cleaning and redaction, before duplicates are looked for.
"""

from pipeline.sweep.outcomes import Outcome, sweep
from pipeline.sweep.removals import QUANTILES, Removal, removals
from pipeline.sweep.settings import Setting

__all__ = ["QUANTILES", "Outcome", "Removal", "Setting", "removals", "sweep"]
