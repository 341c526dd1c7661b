"""Assay in a notebook or a script: what `import assay` offers, each part loaded when it is first used."""
