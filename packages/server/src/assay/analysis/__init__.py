"""From rows to conclusions: plan, one query, moments, result document."""
