"""The lowest floor: no I/O, no word of any domain."""
