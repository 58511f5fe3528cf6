"""Floor 1: the only place that speaks to AWS."""
