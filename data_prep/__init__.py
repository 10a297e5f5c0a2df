"""Turn a corpus on disk into manifests and feature caches."""
