"""The families of pretrained encoders of pictures and clips, by what their config.json calls them.

Legend: `N` pictures, `P` parts of a picture, `D` features.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mertk.encoders.frame_preprocessing import FramePreprocessing, read_preprocessing
from mertk.encoders.loading import load_pretrained, make_untrained, refuse_absent
from mertk.encoders.weights import read_config
from mertk.errors import MertkError

if TYPE_CHECKING:
    import torch

_PROJECTION = "visual_projection.weight"


@dataclass(frozen=True)
class PictureFamily:
    """How a family is loaded, and what its states are.

    Attributes:
        title: what people call it.
        extractor: class in `mertk.features` that makes features by it.
        architecture: class of transformers, of the half that sees.
        outputs: by name, the first of them unless another is asked for; layers come besides.
        projecting: class of transformers for the output `projected`, where that takes another one.
        has_token: there is a token that stands for the whole picture; if not, the mean over its parts does.
        takes_any_size: pictures need not be as large as those that it was trained with, only whole patches.
        preprocessing: what a preprocessor_config.json means where it leaves something out.
        unused: by output, what of the model has no part in it: beginnings of names of its parameters.
        options: arguments of the architecture.
    """

    title: str
    extractor: str
    architecture: str
    outputs: tuple[str, ...]
    projecting: str | None = None
    has_token: bool = True
    takes_any_size: bool = False
    preprocessing: Mapping[str, Any] = field(default_factory=dict)
    unused: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def sees_pictures(self) -> bool:
        """Whether it is shown one picture at a time, not clips."""
        return "clips" not in self.outputs

    def load(self, folder: Path, output: str, random_weights: bool = False) -> Any:
        """The half that sees, in float32, with its projection where the output needs it, in evaluation mode.

        Args:
            random_weights: as config.json describes it, without reading weights.

        Raises:
            MertkError: weights that cannot be read, or lack something, or have nothing that makes the output.
        """
        import torch
        import transformers

        # Not the model with projection for every output: in transformers 5.20 it finds no weight at all in the folder
        # of a vision model alone, whose names lack the prefix `vision_model.`. The model without projection reads both.
        name = self.projecting if output == "projected" and self.projecting else self.architecture
        architecture = getattr(transformers, name)
        if random_weights:
            return make_untrained(folder, architecture, **self.options).eval()
        model, missing = load_pretrained(architecture, folder, dtype=torch.float32, **self.options)
        if _PROJECTION in missing:
            raise MertkError(
                f"{folder} holds no projection ({_PROJECTION}); choose the output penultimate, or a model that has one."
            )
        refuse_absent(folder, missing)
        if output == "projected" and not getattr(model.config, "vision_use_head", True):
            raise MertkError(f"{folder} holds a {self.title} without its head; choose the output penultimate.")
        return model.eval()

    def width(self, config: Any, output: str) -> int:
        """D of an output, by the configuration of the half that sees."""
        return config.projection_dim if output == "projected" and self.projecting else config.hidden_size

    def read_preprocessing(self, folder: Path, config: Any = None) -> FramePreprocessing:
        """What is done to pictures before the model sees them.

        Args:
            config: of the half that sees; None reads it.

        Raises:
            MertkError: as `mertk.encoders.frame_preprocessing.read_preprocessing`.
        """
        if config is None:
            import transformers

            kind = getattr(transformers, self.architecture).config_class
            config = kind.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        patch = config.patch_size if self.takes_any_size else None
        return read_preprocessing(folder, config.image_size, patch, self.preprocessing)

    def projected(self, found: Any) -> torch.Tensor:
        """The output `projected` (N, D), of what the model gives."""
        return found.image_embeds if self.projecting else found.pooler_output

    def last(self, found: Any) -> torch.Tensor:
        """What stands for each picture (N, D) behind the last layer and its normalisation."""
        pooled = found.pooler_output if self.has_token else None
        return self.summary(found.last_hidden_state) if pooled is None else pooled

    def summary(self, states: torch.Tensor) -> torch.Tensor:
        """What stands for each picture (N, D) in states (N, P, D) of its parts."""
        return states[:, 0] if self.has_token else states.mean(dim=1)


_CLIP = PictureFamily(
    "CLIP", "ClipFrameEncoder", "CLIPVisionModel", ("projected", "penultimate"), "CLIPVisionModelWithProjection"
)
_SIGLIP = PictureFamily(
    "SigLIP",
    "PictureStates",
    "SiglipVisionModel",
    ("projected", "penultimate"),
    has_token=False,
    preprocessing={"do_center_crop": False},
    unused={"penultimate": ("head.", "vision_model.head.")},
)
_DINOV2 = PictureFamily(
    "DINOv2",
    "PictureStates",
    "Dinov2Model",
    ("penultimate",),
    takes_any_size=True,
    unused={"penultimate": ("embeddings.mask_token",)},
)
_VIT = PictureFamily(
    "ViT",
    "PictureStates",
    "ViTModel",
    ("penultimate",),
    preprocessing={"do_center_crop": False, "resample": 2},
    unused={"penultimate": ("embeddings.mask_token",)},
    options={"add_pooling_layer": False},  # a head of its own, which checkpoints that were tuned lack
)
_VIDEOMAE = PictureFamily(
    "VideoMAE", "VideoStates", "VideoMAEModel", ("tubelets", "clips"), has_token=False, preprocessing={"resample": 2}
)

FAMILIES: dict[str, PictureFamily] = {
    "clip": _CLIP,
    "clip_vision_model": _CLIP,
    "siglip": _SIGLIP,
    "siglip_vision_model": _SIGLIP,
    "dinov2": _DINOV2,
    "dinov2_with_registers": replace(_DINOV2, architecture="Dinov2WithRegistersModel"),
    "vit": _VIT,
    "videomae": _VIDEOMAE,
}


def find_family(folder: Path) -> PictureFamily:
    """The family of the weights in a folder.

    Raises:
        MertkError: of none that is known.
    """
    kind = read_config(folder).get("model_type")
    if kind not in FAMILIES:
        raise MertkError(
            f"{folder / 'config.json'}: model_type {kind!r} is no encoder of pictures that can be used here; expected "
            f"{', '.join(FAMILIES)}."
        )
    return FAMILIES[kind]


def find_family_of_pictures(folder: Path) -> PictureFamily:
    """The same, of what sees one picture at a time.

    Raises:
        MertkError: it sees clips, or is of no family that is known.
    """
    family = find_family(folder)
    if not family.sees_pictures:
        known = ", ".join(name for name, one in FAMILIES.items() if one.sees_pictures)
        raise MertkError(
            f"{folder} holds {family.title}, which sees clips, not pictures, and cannot be trained in a model; "
            f"expected {known}, or make features by it: mertk extract video --clip."
        )
    return family
