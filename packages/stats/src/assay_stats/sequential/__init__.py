"""Looking early without paying for it: group-sequential designs and confidence sequences."""
