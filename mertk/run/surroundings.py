"""What a call leaves as it found it: the process is a notebook's, which goes on afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager


@contextmanager
def as_found() -> Iterator[None]:
    """Within, generators may be seeded, TF32 switched off, and gradients computed; afterwards all is as it was.

    Errors tell what to do in Python.
    """
    import torch

    from mertk.numerics import keeping_algorithms, keeping_precision
    from mertk.run.wording import options_as_arguments
    from mertk.training.randomness import keeping_random_state

    switches = keeping_precision(), keeping_algorithms(), torch.inference_mode(False), torch.enable_grad()
    with options_as_arguments(), ExitStack() as held:
        for one in (keeping_random_state(), *switches):
            held.enter_context(one)
        yield
