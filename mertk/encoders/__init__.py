"""Backbones that turn audio, video and text into sequences of vectors."""
