"""What is measured: typed definitions over raw events."""
