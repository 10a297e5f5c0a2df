"""Methods: one file each, plain PyTorch behind the contract of `mertk.models.base`."""
