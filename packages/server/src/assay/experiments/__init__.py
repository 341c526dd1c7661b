"""Experiments: arms, weights, metrics, and where assignments come from."""
