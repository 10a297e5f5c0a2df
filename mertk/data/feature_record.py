"""What a feature directory says about itself."""

from __future__ import annotations

import functools
import io
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import xxhash
from msgspec import Meta

from mertk.content import AbsentError, Count, check_format, read_json
from mertk.errors import MertkError

#: directories of the first format, which can be read and continued, have no checksums
FORMATS = (1, 2)
DTYPES = ("float32", "float16", "int32", "uint8")
RECORD_FILE = "record.json"
INDEX_FILE = "features.scp"
LENGTHS_FILE = "utt2num_frames"
CHECKSUMS_FILE = "utt2checksum"
#: how the layer of a record begins that is several, with commas between them
SEVERAL_LAYERS = "layers_"


@dataclass(frozen=True)
class FeatureRecord:
    """Where the features of a directory came from.

    Attributes:
        modality: audio, video or text.
        extractor: name of the program or class that made them.
        weights: folder or hub id of the pretrained model, as it was given.
        weights_fingerprint: digest of the weights; this, not the name, decides whether two directories agree.
        layer: which output of the model; of several layers `layers_`, and their names with commas between them.
        rate_hz: frames per second; None where it differs between utterances or has no meaning.
        dimension: D; of several layers that of all together, which stand side by side in a frame.
        dtype: float32 or float16; int32 for tokens, uint8 for pictures.
        count: utterances in `features.scp`; 0 while the directory is being filled.
        miniature: made from an invented corpus or from weights that were never trained.
        options: everything else that changes the values.
        warnings: what a reader of figures must know of the features, one sentence each; the report tells it.
    """

    modality: str
    extractor: str
    weights: str
    weights_fingerprint: str
    layer: str
    rate_hz: Annotated[float, Meta(ge=0)] | None
    dimension: Annotated[int, Meta(ge=1, le=2**24)]
    dtype: str = "float32"
    count: Count = 0
    miniature: bool = False
    options: dict[str, Any] = field(default_factory=dict)
    format: int = FORMATS[-1]
    warnings: list[str] = field(default_factory=list)

    @property
    def has_checksums(self) -> bool:
        """Whether a checksum of every matrix is in the directory."""
        return self.format > 1

    @property
    def num_layers(self) -> int:
        """Layers whose values stand side by side in a frame."""
        return count_layers(self.layer)

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    def differences(self, other: FeatureRecord | Mapping[str, Any]) -> list[str]:
        """What would make features of the two records unlike: `key: here ... there ...`, one string a key."""
        mine, theirs = _flat(self.as_dict()), _flat(other if isinstance(other, Mapping) else other.as_dict())
        ignored = {"count", "weights", "format", "warnings"}
        keys = [key for key in {**mine, **theirs} if key not in ignored and mine.get(key) != theirs.get(key)]
        return [f"{key}: {mine.get(key)!r} here, {theirs.get(key)!r} there" for key in keys]

    def write(self, directory: str | Path) -> None:
        from mertk.atomic import write_text

        write_text(Path(directory) / RECORD_FILE, json.dumps(self.as_dict(), indent=2, sort_keys=True) + "\n")


def count_layers(layer: str) -> int:
    """How many layers a record's `layer` names.

    >>> count_layers("layers_0,6,last"), count_layers("layer_6"), count_layers("output")
    (3, 1, 1)
    """
    return layer.count(",") + 1 if layer.startswith(SEVERAL_LAYERS) else 1


def _flat(record: Mapping[str, Any]) -> dict[str, Any]:
    options = {f"options.{key}": value for key, value in (record.get("options") or {}).items()}
    return {key: value for key, value in record.items() if key != "options"} | options


def read_record(directory: str | Path) -> FeatureRecord:
    """The record of a feature directory.

    Raises:
        MertkError: no such directory, no record, or one that this version cannot read.
    """
    path = Path(directory) / RECORD_FILE
    try:
        record = read_json(path, FeatureRecord, "extract the features again")
    except AbsentError as error:
        raise MertkError(
            f"{path} not found: {directory} is no feature directory; extract the features first."
        ) from error
    check_format(record.format, FORMATS[-1], path, "extract the features again")
    if record.dtype not in DTYPES:
        raise MertkError(
            f"{path}: dtype is {record.dtype!r:.40}, expected {' or '.join(DTYPES)}; another version made the "
            "features, extract them again."
        )
    if record.dimension % record.num_layers:
        raise MertkError(
            f"{path}: {record.dimension} values a frame cannot be those of {record.num_layers} layers (layer is "
            f"{record.layer!r:.80}); it is damaged, extract the features again."
        )
    return record


def checksum_seed(utterance: str) -> int:
    """Seed of an utterance's checksum, so that the matrix of another one is not taken for its own.

    >>> checksum_seed("a") == checksum_seed("b")
    False
    """
    return xxhash.xxh3_64_intdigest(utterance.encode("utf-8", "surrogatepass"))


@functools.lru_cache(maxsize=4096)
def npy_header(num_frames: int, dimension: int, dtype: str) -> bytes:
    """Header of a .npy file of shape (num_frames, dimension); its length is a multiple of 64.

    >>> len(npy_header(180, 768, "float32"))
    128
    """
    buffer = io.BytesIO()
    description = {"descr": np.dtype(dtype).str, "fortran_order": False, "shape": (num_frames, dimension)}
    np.lib.format.write_array_header_1_0(buffer, description)
    return buffer.getvalue()
