"""Moments in, inferences out: the statistics of experiments."""
