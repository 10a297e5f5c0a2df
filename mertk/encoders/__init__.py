"""Encoders of audio, video and text that are trained in a model, and the weights that they and extractors load."""
