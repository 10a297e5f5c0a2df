"""Loading a pretrained model of transformers so that nothing goes wrong silently, and no code but its own runs.

A folder may bring Python files (`auto_map` in its JSON files), and transformers then asks on the terminal whether to
run them, or it may name kernels to fetch from the hub. Neither is ever done: `trust_remote_code` is False everywhere.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mertk.encoders.weights import read_config
from mertk.errors import MertkError
from mertk.numerics import refuse_not_finite


def load_pretrained(architecture: Any, folder: Path, **options: Any) -> tuple[Any, set[str]]:
    """A model with the weights of `folder`, and the names of weights that the folder lacks.

    A weight that is lacking would silently be random; the caller decides which may lack. What stands beside the model,
    such as a head of another task, is left out. Says nothing and shows no bar.

    Args:
        architecture: a class with `from_pretrained`.
        options: of `from_pretrained`.

    Raises:
        MertkError: the weights cannot be read, hold NaN, are all of another model, or need code that comes with them.
    """
    from pickle import UnpicklingError

    from safetensors import SafetensorError
    from transformers.utils import logging

    refuse_foreign_kernels(folder)
    verbosity, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        model, information = architecture.from_pretrained(
            folder, output_loading_info=True, trust_remote_code=False, **options
        )
    except (OSError, ValueError, RuntimeError, SafetensorError, UnpicklingError, EOFError) as error:
        # transformers refers to a report that it would have printed
        has_other_sizes = "ignore_mismatched_sizes" in str(error)
        reason = "tensors of other sizes than config.json describes" if has_other_sizes else error
        told = f"{folder}: the weights cannot be loaded ({reason}); copy the model again."
        raise MertkError(told_of_foreign_code(folder, error) or told) from error
    finally:
        logging.set_verbosity(verbosity)
        if bars:
            logging.enable_progress_bar()
    state, missing = model.state_dict(), {str(key) for key in information["missing_keys"]}
    if missing.issuperset(state):
        named = ", ".join(sorted(map(str, information["unexpected_keys"]))[:3]) or "none"
        raise MertkError(
            f"{folder}: the weights lack all {len(missing)} tensors of {type(model).__name__} "
            f"({', '.join(sorted(missing)[:2])}, ...), and have {named}: the encoder is within a model of their own. "
            "Write the encoder alone by its save_pretrained, or take another checkpoint."
        )
    refuse_not_finite(state, folder)
    return model, missing | {str(key) for key in information["mismatched_keys"]}


def make_untrained(folder: Path, architecture: Any = None, **options: Any) -> Any:
    """A model with random weights as config.json in `folder` describes it, in float32.

    Args:
        architecture: a class of transformers; None for what config.json says.
        options: of its constructor, or of `from_config`.

    Raises:
        MertkError: not a description that transformers understands, or it needs code that comes with it.
    """
    import torch
    from transformers import AutoConfig, AutoModel

    refuse_foreign_kernels(folder)
    try:
        if architecture is not None:
            kind = architecture.config_class
            config = kind.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
            return architecture(config, **options)
        config = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        return AutoModel.from_config(config, dtype=torch.float32, trust_remote_code=False, **options)
    # A hostile or damaged description raises nearly anything, deep inside transformers.
    except Exception as error:
        told = f"{folder / 'config.json'}: no model can be made of it ({error}); copy the directory again."
        raise MertkError(told_of_foreign_code(folder, error) or told) from error


def told_of_foreign_code(source: str | Path, error: BaseException) -> str | None:
    """What to say where transformers refused to run code that came with a model; None for any other error."""
    if "trust_remote_code" not in str(error):
        return None
    return (
        f"{source}: brings Python code of its own (auto_map), which is never run here; take a model whose architecture "
        "transformers itself has."
    )


def refuse_foreign_kernels(folder: Path) -> None:
    """Refuse a config.json that has transformers fetch compiled code from the hub, as attention or otherwise.

    Raises:
        MertkError: names the key.
    """
    path, waiting = folder / "config.json", [read_config(folder)]
    while waiting:  # a model of two halves has a configuration for each inside
        for key, value in waiting.pop().items():
            if isinstance(value, dict):
                waiting.append(value)
            if key.endswith("_implementation") and "/" in str(value):
                raise MertkError(f"{path}: {key} is {value!r}, code from the hub, which is never run; take it out.")


def refuse_absent(folder: Path, absent: set[str]) -> None:
    """Raise when weights are lacking.

    Raises:
        MertkError: names some of them.
    """
    if absent:
        named = ", ".join(sorted(absent)[:3])
        raise MertkError(
            f"{folder}: the weights lack {len(absent)} tensors of the model ({named}), which would be random; copy it "
            "again, or take one that has them."
        )
