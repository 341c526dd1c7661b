"""Which variant a unit was given first, kept for as long as its experiment lasts."""
