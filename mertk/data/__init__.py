"""Corpora, manifests, feature caches and the batches made from them."""
