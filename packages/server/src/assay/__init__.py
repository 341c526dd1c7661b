"""The experimentation platform."""
