"""Whether pretrained weights are a folder here, in the hub's cache, or can be fetched."""

from __future__ import annotations

from pathlib import Path

from mertk.checkup.finding import Finding
from mertk.checkup.folders import write_error
from mertk.errors import MertkError


def check_clip(name: str) -> Finding:
    """Whether there are weights of an encoder of pictures."""
    from mertk.encoders.picture_families import find_family

    finding = check_weights(name)
    if finding.status == "ok" and Path(name).expanduser().is_dir():
        try:
            find_family(Path(name).expanduser())
        except MertkError as error:
            return Finding("FAIL", "weights", str(error))
    return finding


def check_tokenizer(name: str) -> Finding:
    """Whether there is the tokenizer of a text encoder; a folder may hold it alone."""
    if not Path(name).expanduser().is_dir():
        return check_weights(name)
    from mertk.features.tokenizer import Tokenizer

    try:
        Tokenizer(name)
    except MertkError as error:
        return Finding("FAIL", "tokenizer", str(error))
    return Finding("ok", "tokenizer", name)


def check_weights(name: str) -> Finding:
    """Whether there are weights that can be loaded, or fetched."""
    from mertk.encoders.weights import check_folder, split_hub_id

    folder = Path(name).expanduser()
    if folder.is_dir():
        try:
            check_folder(folder)
        except MertkError as error:
            return Finding("FAIL", "weights", str(error))
        return Finding("ok", "weights", name)
    hub_id = split_hub_id(name)
    if hub_id is None or name.startswith("."):
        return Finding("FAIL", "weights", f"{name}: no such folder, nor an id of the hub (owner/model[@revision])")
    return check_hub(name, *hub_id)


def check_hub(name: str, model: str, revision: str | None) -> Finding:
    """Whether weights of the hub are in its cache, or can be fetched and kept there."""
    from huggingface_hub import constants
    from huggingface_hub.utils import HFValidationError

    from mertk.caches import existing_part

    try:
        cached = is_cached(model, revision)
    except HFValidationError as error:
        return Finding("FAIL", "weights", f"{name}: no such folder, nor an id of the hub ({error})")
    if cached:
        return Finding("ok", "weights", f"{name} (in the cache of the hub)")
    remedy = "fetch it where there is a network and give the folder instead"
    if constants.HF_HUB_OFFLINE:
        return Finding("FAIL", "weights", f"{name}: not in the cache, and HF_HUB_OFFLINE is set; {remedy}")
    problem = fetch_problem(model, revision)
    if problem is not None:
        return Finding("FAIL", "weights", f"{name}: cannot be fetched from the hub ({problem}); {remedy}")
    cache = Path(constants.HF_HUB_CACHE)
    error = write_error(existing_part(cache))
    if error is not None:
        told = f"{name}: cannot be kept in {cache} ({error.strerror}); set HF_HOME to a folder that can be written"
        return Finding("FAIL", "weights", told)
    return Finding("ok", "weights", f"{name} (will be fetched from the hub)")


def is_cached(model: str, revision: str | None) -> bool:
    """Whether the hub's cache holds configuration and weights."""
    from huggingface_hub import try_to_load_from_cache

    from mertk.encoders.weights import WEIGHT_FILES

    def has(file: str) -> bool:
        return isinstance(try_to_load_from_cache(model, file, revision=revision), str)

    return has("config.json") and any(map(has, WEIGHT_FILES))


def fetch_problem(model: str, revision: str | None) -> OSError | None:
    """Why a model cannot be fetched from the hub; None if it can."""
    import urllib.request

    from huggingface_hub import hf_hub_url

    request = urllib.request.Request(hf_hub_url(model, "config.json", revision=revision), method="HEAD")
    try:
        urllib.request.urlopen(request, timeout=10).close()
    except OSError as error:
        return error
    return None
