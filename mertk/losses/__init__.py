"""Parameter-free loss functions, exact on any number of processes."""
