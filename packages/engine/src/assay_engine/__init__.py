"""Feature flags, rules and bucketing: a pure evaluator without I/O."""
