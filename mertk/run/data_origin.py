"""What the data and the weights of a run are, for its records: corpus, warnings, encoders, what is invented."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from mertk.data.manifest import load_manifest, read_corpus
from mertk.errors import MertkError

if TYPE_CHECKING:
    from mertk.config import Config
    from mertk.data.manifest import Manifest
    from mertk.data.parts import Part
    from mertk.models.base import Model

#: what of corpus.json (see `mertk.data.manifest`) the records of a run repeat
CORPUS_KEYS = (
    *("corpus", "miniature", "count", "parts", "left_out", "warnings"),
    *("published", "alignment", "label_map", "shared_videos"),
)
#: what `describe_data` tells of
DATA_KEYS = ("miniature", "invented", "corpus", "utterances", "left_out", "encoders")


def describe_data(config: Config, parts: dict[str, Part], model: Model) -> dict[str, Any]:
    """What environment.json says of the data and the weights.

    Args:
        parts: `train`, and `validation` where there is one.
        model: as it was built, with its encoders.
    """
    corpus = corpus_of(parts["train"].manifest)
    invented = find_invented(parts["train"], model)
    return {
        "miniature": bool(invented),
        "invented": invented,
        "corpus": {key: corpus[key] for key in CORPUS_KEYS if key in corpus},
        "utterances": {name: len(part.dataset) for name, part in parts.items()},
        "left_out": {name: part.ledger.counts() for name, part in parts.items() if len(part.ledger)},
        "encoders": describe_encoders(config, model),
    }


def corpus_of(manifest: Manifest) -> dict[str, Any]:
    """Content of corpus.json, that of lists of files too where they lie in the folds of a data directory."""
    if manifest.corpus or not manifest.source.is_file():
        return manifest.corpus
    folder = _directory_of(manifest)
    return read_corpus(folder) if folder else {}


def with_all_columns(manifest: Manifest) -> Manifest:
    """A list of files that lies in the folds of a data directory as that has it: with who speaks, and all else.

    Another manifest is given back as it is, and a list of utterances or files that the directory does not have.
    """
    folder = _directory_of(manifest)
    if folder is None:
        return manifest
    try:
        known = load_manifest(folder, need=("wav.scp",)).subset(manifest.ids)
    except MertkError:
        return manifest
    return known if known.column("wav.scp") == manifest.column("wav.scp") else manifest


def _directory_of(manifest: Manifest) -> Path | None:
    """The data directory in whose folds a list of files lies."""
    if not manifest.source.is_file():
        return None
    return next((one.parent for one in manifest.source.absolute().parents if one.name == "folds"), None)


def describe_encoders(config: Config, model: Model) -> dict[str, dict[str, Any]]:
    """Class, weights and width of every encoder that is trained with the model, by modality."""
    found = {}
    for name, arguments in config.model.items():
        encoder = getattr(model, name, None)
        if name.endswith("_encoder") and isinstance(arguments, dict) and encoder is not None:
            found[name.removesuffix("_encoder")] = {
                "component": type(encoder).__name__,
                "weights": arguments.get("weights"),
                "width": getattr(encoder, "output_dim", None),
            }
    return found


def find_invented(part: Part, model: Model) -> list[str]:
    """What of a run is a miniature: `recordings` or `features`, or `weights of ...`; empty when nothing is."""
    corpus = corpus_of(part.manifest)
    if corpus.get("miniature"):
        # Features made from invented recordings are marked as well, whatever their weights.
        found = ["recordings" if part.manifest.has("wav.scp") else "features"]
    else:
        what = "weights" if corpus else "recordings or weights"
        records = part.feature_records().items()
        found = [f"{what} of the {name} features" for name, record in records if record and record.get("miniature")]
    encoders = {name: module for name, module in model.named_modules() if getattr(module, "is_miniature", False)}
    return found + [f"weights of {name}" for name in encoders]
