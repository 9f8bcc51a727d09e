"""Recording a repetition: trace, counters, and the proof that nothing was lost."""
