"""The change log: who did what to which thing, with the difference, in the change's own transaction."""
