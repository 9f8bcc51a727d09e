"""From the metrics of a results folder to verdicts: pairs, comparisons, judgement."""
