"""Rules: one table of operators, the check when saving, the compiler."""
