"""Miniatures of the corpora, in the layout of the real ones."""
