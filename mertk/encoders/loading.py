"""Loading a pretrained model of transformers so that nothing goes wrong silently."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mertk.arithmetic import refuse_not_finite
from mertk.errors import MertkError


def load_pretrained(architecture: Any, folder: Path, **options: Any) -> tuple[Any, set[str]]:
    """A model with the weights of `folder`, and the names of weights that the folder lacks.

    A weight that is lacking would silently be random; the caller decides which may lack. Says nothing and shows no bar.

    Args:
        architecture: a class with `from_pretrained`.
        options: of `from_pretrained`.

    Raises:
        MertkError: the weights cannot be read, or hold NaN.
    """
    from pickle import UnpicklingError

    from safetensors import SafetensorError
    from transformers.utils import logging

    verbosity, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        model, information = architecture.from_pretrained(folder, output_loading_info=True, **options)
    except (OSError, ValueError, RuntimeError, SafetensorError, UnpicklingError, EOFError) as error:
        raise MertkError(f"{folder}: the weights cannot be loaded ({error}); copy the model again.") from error
    finally:
        logging.set_verbosity(verbosity)
        if bars:
            logging.enable_progress_bar()
    refuse_not_finite(model.state_dict(), folder)
    return model, {str(key) for key in (*information["missing_keys"], *information["mismatched_keys"])}


def refuse_absent(folder: Path, absent: set[str]) -> None:
    """Raise when weights are lacking.

    Raises:
        MertkError: names some of them.
    """
    if absent:
        named = ", ".join(sorted(absent)[:3])
        raise MertkError(f"{folder}: the weights lack {len(absent)} tensors of the model ({named}); copy it again.")
