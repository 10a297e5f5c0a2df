"""Pictures that a model is trained on: whether an encoder sees them, and whether they are prepared as it is used to."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from mertk.errors import MertkError

if TYPE_CHECKING:
    from torch import nn

    from mertk.config import Config

log = logging.getLogger("mertk.train")

#: options of `ColourPictures` that say how a picture is prepared
_PREPARED = ("resized", "keeps_shape", "filter")


def check_pictures(config: Config, records: Mapping[str, dict[str, Any] | None]) -> None:
    """Refuse pictures that no encoder sees; a method of one's own may do as it likes with them.

    Args:
        records: of the features, by modality.

    Raises:
        MertkError: names the modality.
    """
    is_ours = str(config.model.get("component")).startswith("mertk.")
    for name, record in records.items():
        if is_ours and record and record["dtype"] == "uint8" and not config.model.get(f"{name}_encoder"):
            raise MertkError(
                f"data.inputs.{name}: its features are pictures, and there is no model.{name}_encoder that would see "
                "them; set it (mertk.encoders.pretrained_pictures.PretrainedPictureEncoder), or give features that "
                "mertk extract video --clip made."
            )


def tell_unlike_pictures(model: nn.Module, records: Mapping[str, dict[str, Any] | None]) -> None:
    """Warn of pictures of the right size that were prepared otherwise than those that their encoder was trained with.

    It learns from them all the same, but begins with worse features than it could.

    Args:
        records: of the features, by modality.
    """
    from mertk.features.colour_pictures import ColourPictures

    for name, record in records.items():
        wanted = getattr(getattr(model, f"{name}_encoder", None), "preprocessing", None)
        if wanted is None or not record or record["extractor"] != ColourPictures.__name__:
            continue
        options = ColourPictures.prepared_as(wanted, f"model.{name}_encoder").options
        unlike = [key for key in _PREPARED if record["options"].get(key) != options[key]]
        if unlike:
            log.warning(
                "data.inputs.%s: its pictures were made for another encoder: %s; mertk extract video --pictures "
                "WEIGHTS, with the weights of this one, makes them as it is used to",
                name,
                ", ".join(f"{key} {record['options'].get(key)}, not {options[key]}" for key in unlike),
            )
