"""Where modules of one's own that were written earlier import the normalisation from."""

from mertk.nn.normalization import MaskedBatchNorm

__all__ = ["MaskedBatchNorm"]
