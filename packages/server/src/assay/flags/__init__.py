"""Flags and segments: drafts, publishing, history, and what an environment serves."""
