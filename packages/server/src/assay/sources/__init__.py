"""Tables to analyse, wherever they are."""
