"""mertk: a distributed training toolkit for multimodal emotion recognition."""

__version__ = "0.1.0"
