"""Frames as a pretrained model wants them: what transformers' image processor does to a picture, done to a batch.

Legend: `T` frames, `H` height, `W` width.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mertk.encoders.weights import PREPROCESSOR_FILE, read_json
from mertk.errors import MertkError

if TYPE_CHECKING:
    import torch

#: numbers of Pillow's filters, which preprocessor_config.json uses
_FILTERS = {2: "bilinear", 3: "bicubic"}


@dataclass(frozen=True)
class FramePreprocessing:
    """Resize, centre crop, rescale, normalise.

    Attributes:
        shortest_edge: length of the shorter side after resizing, the shape being kept.
        size: (height, width) after resizing, the shape not being kept; None, and `shortest_edge` None: no resizing.
        crop: (height, width) cut from the centre; None for no crop.
        filter: bicubic or bilinear, antialiased either way.
        scale: factor that takes pixels 0 to 255 to 0 to 1.
        mean, spread: by channel, after scaling.
    """

    shortest_edge: int | None
    size: tuple[int, int] | None
    crop: tuple[int, int] | None
    filter: str
    scale: float
    mean: tuple[float, float, float]
    spread: tuple[float, float, float]

    def as_dict(self) -> dict[str, Any]:
        """Plain values, as they come back from JSON."""
        return {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(self).items()}

    def as_preprocessor(self) -> dict[str, Any]:
        """What a preprocessor_config.json says of it."""
        shortest, size, crop = self.shortest_edge, self.size, self.crop
        resized = {"height": size[0], "width": size[1]} if size else {"shortest_edge": shortest}
        return {
            "do_resize": bool(shortest or size),
            "size": resized,
            "resample": next(number for number, name in _FILTERS.items() if name == self.filter),
            "do_center_crop": crop is not None,
            "crop_size": crop and {"height": crop[0], "width": crop[1]},
            "rescale_factor": self.scale,
            "image_mean": list(self.mean),
            "image_std": list(self.spread),
        }

    @property
    def shrinking(self) -> FramePreprocessing:
        """The part of it that `shrink` does: equal for models whose pictures are shrunk alike."""
        return replace(self, scale=1.0, mean=(0.0, 0.0, 0.0), spread=(1.0, 1.0, 1.0))

    def target_size(self, height: int, width: int) -> tuple[int, int]:
        """Height and width of a picture after resizing, before the crop.

        >>> FramePreprocessing(224, None, (224, 224), "bicubic", 1 / 255, (0, 0, 0), (1, 1, 1)).target_size(480, 360)
        (298, 224)
        """
        if self.shortest_edge is None:
            return self.size or (height, width)
        if height <= width:
            return self.shortest_edge, int(self.shortest_edge * width / height)
        return int(self.shortest_edge * height / width), self.shortest_edge

    def __call__(self, frames: torch.Tensor) -> torch.Tensor:
        """Frames (T, H, W, 3) uint8 as pixel values (T, 3, crop height, crop width) float32, same device."""
        return self.normalize(self._resize_and_crop(frames))

    def shrink(self, picture: np.ndarray) -> np.ndarray:
        """One picture (H, W, 3) uint8 as `normalize` takes it, (crop height, crop width, 3) uint8.

        On CPU it is to the last bit what `__call__` does to many; a video need not be held at its full size.
        """
        import torch

        frames = self._resize_and_crop(torch.from_numpy(np.ascontiguousarray(picture))[None])
        return frames[0].contiguous().numpy()

    def normalize(self, frames: torch.Tensor) -> torch.Tensor:
        """Frames (T, h, w, 3) uint8 of the right size as pixel values (T, 3, h, w) float32, same device."""
        import torch

        shape = (1, 3, 1, 1)
        mean = torch.tensor(self.mean, device=frames.device).view(shape)
        spread = torch.tensor(self.spread, device=frames.device).view(shape)
        return ((frames.permute(0, 3, 1, 2).float() * self.scale - mean) / spread).contiguous()

    def _resize_and_crop(self, frames: torch.Tensor) -> torch.Tensor:
        """Frames (T, H, W, 3) as bytes or as whole numbers, (T, h, w, 3)."""
        pictures = frames.permute(0, 3, 1, 2)
        size = self.target_size(*pictures.shape[2:])
        if size != tuple(pictures.shape[2:]):
            resize = _resize_bytes if pictures.device.type == "cpu" else _resize_floats
            pictures = resize(pictures, size, self.filter)
        if self.crop is not None:
            height, width = self.crop
            top, left = (pictures.shape[2] - height) // 2, (pictures.shape[3] - width) // 2
            pictures = pictures[:, :, top : top + height, left : left + width]
        return pictures.permute(0, 2, 3, 1)


def _resize_bytes(pictures: torch.Tensor, size: tuple[int, int], filter_name: str) -> torch.Tensor:
    """Resize (T, 3, H, W) uint8 as Pillow does; only on CPUs, some fifteen times as fast there as `_resize_floats`."""
    import torch

    return torch.nn.functional.interpolate(pictures, size, mode=filter_name, antialias=True)


def _resize_floats(pictures: torch.Tensor, size: tuple[int, int], filter_name: str) -> torch.Tensor:
    """Resize (T, 3, H, W) as Pillow does: width first, then height, whole numbers 0 to 255 after each."""
    import torch

    pictures = pictures.float()
    for step in ((pictures.shape[2], size[1]), size):
        pictures = torch.nn.functional.interpolate(pictures, step, mode=filter_name, antialias=True)
        pictures = pictures.round_().clamp_(0, 255)
    return pictures


def read_preprocessing(
    folder: str | Path, image_size: int, patch: int | None = None, defaults: Mapping[str, Any] | None = None
) -> FramePreprocessing:
    """Preprocessing from a model folder's preprocessor_config.json.

    Args:
        image_size: side of the square pictures that the model takes.
        patch: where the model takes squares of any size, how much of it must be whole.
        defaults: what the file means where it leaves something out and that is not what CLIP's would mean.

    Raises:
        MertkError: no such file, something in it that is not supported, or pictures of another size than the model's.
    """
    path = Path(folder) / PREPROCESSOR_FILE
    if not path.is_file():
        raise MertkError(
            f"{path} not found: it says how pictures are prepared for the model; copy the whole model folder."
        )
    content = {**(defaults or {}), **read_json(path)}
    try:
        preprocessing = _parse(content)
    except (KeyError, TypeError, ValueError) as error:
        raise MertkError(
            f"{path}: not the settings of an image processor such as CLIP's ({error!r}); copy it again."
        ) from error
    final = preprocessing.crop or preprocessing.size
    if patch is not None and final is not None and final[0] == final[1] and final[0] % patch == 0:
        image_size = final[0]
    if final != (image_size, image_size):
        raise MertkError(
            f"{path} makes pictures of {final or 'any'} (height, width), the model takes {image_size} x {image_size}; "
            "copy the preprocessor that belongs to the model."
        )
    smallest = preprocessing.shortest_edge or image_size
    if smallest < image_size:
        raise MertkError(f"{path}: shortest_edge {smallest} is smaller than the crop, {image_size}; not supported.")
    return preprocessing


def _parse(content: dict[str, Any]) -> FramePreprocessing:
    shortest_edge = size = crop = None
    if content.get("do_resize", True):
        value = content["size"]
        if isinstance(value, int) and not content.get("do_center_crop", True):
            size = (value, value)
        elif isinstance(value, int):  # the form of old files
            shortest_edge = value
        elif "shortest_edge" in value:
            shortest_edge = int(value["shortest_edge"])
        else:
            size = (int(value["height"]), int(value["width"]))
    if content.get("do_center_crop", True):
        value = content["crop_size"]
        crop = (value, value) if isinstance(value, int) else (int(value["height"]), int(value["width"]))
    scale = float(content.get("rescale_factor", 1 / 255)) if content.get("do_rescale", True) else 1.0
    normalise = content.get("do_normalize", True)
    mean = tuple(map(float, content["image_mean"])) if normalise else (0.0, 0.0, 0.0)
    spread = tuple(map(float, content["image_std"])) if normalise else (1.0, 1.0, 1.0)
    if len(mean) != 3 or len(spread) != 3:
        raise ValueError("image_mean and image_std need three values each")
    number = int(content.get("resample", 3))
    if number not in _FILTERS:
        raise ValueError(f"resample {number}; only 2 (bilinear) and 3 (bicubic) are supported")
    return FramePreprocessing(shortest_edge, size, crop, _FILTERS[number], scale, mean, spread)
