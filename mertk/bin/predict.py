"""Tell the emotion in recordings of your own: audio or video files of one speaker each.

A video file gives both its sound and its picture; beside an audio file, a model that needs a picture takes the video of
the same name with another ending, if there is one. With several --model directories (the folds of a cross-validation,
say) their probabilities are averaged. What could not be predicted is named at the end, and the exit code is then 1.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mertk.cli import make_parser, program

if TYPE_CHECKING:
    import numpy as np
    import torch

    from mertk.training.model_directory import SavedModel

EXAMPLE = """\
python -m mertk.bin.predict --model exp/iemocap/foal/paper/session-clean/fold_*/seed_1234/best -- interview.mp4
python -m mertk.bin.predict --model MODEL --half left --out emotions.tsv -- recordings/*.avi
"""

VIDEO_ENDINGS = (".mp4", ".avi", ".mkv", ".mov", ".webm", ".mpg", ".m4v")


@program
def main(argv: list[str] | None = None) -> int:
    parser = make_parser(__doc__, EXAMPLE)
    parser.add_argument("--model", type=Path, nargs="+", required=True, help="model directories (RUN/best)")
    parser.add_argument(
        "--half", default="whole", choices=("whole", "left", "right"), help="part of the picture to look at"
    )
    parser.add_argument("--weights", help="the CLIP model the features were made with, when it is not where it was")
    parser.add_argument("--out", type=Path, metavar="TSV", help="write the table to a file, not to the terminal")
    parser.add_argument("--device", help="cpu, cuda, cuda:1, ...; by default the first GPU, or the CPU")
    parser.add_argument("files", nargs="+", type=Path, help="audio or video files")
    arguments = parser.parse_args(argv)

    from mertk.atomic import write_text
    from mertk.errors import MertkError
    from mertk.progress import progress

    predictor = Predictor(arguments.model, arguments.device, arguments.weights, arguments.half)
    lines, failed = ["\t".join(["file", "prediction", *predictor.classes])], []
    for file in progress(arguments.files, total=len(arguments.files), description="predict"):
        try:
            probabilities = predictor.predict(file)
        except MertkError as error:
            failed.append(f"{file}: {error}")
            continue
        shares = [f"{value:.4f}" for value in probabilities]
        lines.append("\t".join([str(file), predictor.classes[int(probabilities.argmax())], *shares]))
    text = "\n".join(lines) + "\n"
    if arguments.out is None:
        sys.stdout.write(text)
    else:
        write_text(arguments.out, text)
    for message in failed:
        print(f"error: {message}", file=sys.stderr)
    return 1 if failed else 0


class Predictor:
    """Models of equal classes and features, and what turns a file into their input.

    Raises:
        MertkError: no such model, models that do not go together, features that cannot be made again.
    """

    def __init__(self, models: list[Path], device: str | None, weights: str | None, half: str) -> None:
        import torch

        from mertk.errors import MertkError
        from mertk.training.model_directory import load_model

        self.device = open_device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        self.models: list[SavedModel] = [load_model(directory) for directory in models]
        first = self.models[0]
        for directory, saved in zip(models, self.models, strict=True):
            if saved.info["task"] != "classification":
                raise MertkError(f"{directory}: predicts intensities, not classes; this program shows classes.")
            if (
                saved.info["classes"] != first.info["classes"]
                or saved.info["feature_records"] != first.info["feature_records"]
            ):
                raise MertkError(
                    f"{directory}: other classes or features than {models[0]}; give models of one experiment."
                )
            saved.model.to(self.device)
        if first.info["miniature"]:
            print("note: this model was trained on a miniature corpus; its answers mean nothing", file=sys.stderr)
        self.classes: list[str] = first.info["classes"]
        self.inputs = first.config.data.inputs
        self.half = half
        self.encoder, self.record = None, first.info["feature_records"].get("video")
        if self.record is not None:
            self.encoder = open_frame_encoder(self.record, weights, self.device)

    def predict(self, file: Path) -> np.ndarray:
        """Probabilities (C,) of one file.

        Raises:
            MertkError: the file cannot be read, or lacks what the model needs.
        """
        import numpy as np
        import torch

        from mertk.batch import to_device
        from mertk.data.dataset import collate

        row: dict[str, Any] = {"utterance_id": file.stem, "index": 0}
        for modality, given in self.inputs.items():
            if given.kind == "waveform":
                row[modality] = self._waveform(file, given)
            else:
                row[modality] = self._frames(file, given)
        batch = to_device(collate([row]), self.device)
        with torch.inference_mode():
            shares = [torch.softmax(saved.model(batch)["logits"].float(), dim=1)[0] for saved in self.models]
        return np.mean([share.cpu().numpy() for share in shares], axis=0)

    def _waveform(self, file: Path, given: Any) -> np.ndarray:
        from mertk.data.waveform import read_sound_of_video, read_waveform

        read = read_sound_of_video if file.suffix.lower() in VIDEO_ENDINGS else read_waveform
        return read(file, file.stem, given.sample_rate_hz, given.max_seconds)

    def _frames(self, file: Path, given: Any) -> np.ndarray:
        from fractions import Fraction

        from mertk.data.video_frames import Segment, read_frames
        from mertk.errors import MertkError

        if self.encoder is None:
            raise MertkError("this model takes features that cannot be made from a file here.")
        if file.suffix.lower() not in VIDEO_ENDINGS:
            beside = [file.with_suffix(ending) for ending in VIDEO_ENDINGS if file.with_suffix(ending).is_file()]
            if not beside:
                raise MertkError(
                    "this model needs the picture too; give a video file, or put one of the same name beside."
                )
            file = beside[0]
        seconds = given.max_seconds or 3600
        frames = read_frames(file, Segment(file.stem, Fraction(0), Fraction(seconds), self.half), seconds)
        return self.encoder(frames)


def open_device(name: str) -> torch.device:
    """The device to compute on.

    Raises:
        MertkError: there is none of this name here.
    """
    import torch

    from mertk.errors import MertkError

    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    # torch says AssertionError where it was built without CUDA, RuntimeError elsewhere.
    except (RuntimeError, AssertionError) as error:
        told = str(error).splitlines()[0]
        raise MertkError(
            f"--device {name}: cannot be used here ({told}); expected cpu, or cuda:N with a GPU."
        ) from error
    return device


def open_frame_encoder(record: dict[str, Any], weights: str | None, device: Any) -> Any:
    """The encoder that made a feature directory.

    Raises:
        MertkError: its weights are not there, or are not the ones that made the features.
    """
    from mertk.encoders.visual import ClipFrameEncoder
    from mertk.encoders.weights import find_weights, fingerprint
    from mertk.errors import MertkError

    name = weights or record["weights"]
    found = fingerprint(find_weights(name))
    if found != record["weights_fingerprint"]:
        raise MertkError(
            f"{name}: these weights (fingerprint {found[:12]}) are not those the model's features were made with "
            f"({record['weights_fingerprint'][:12]}, then at {record['weights']}); give the right ones with --weights."
        )
    return ClipFrameEncoder(name, record["layer"], device)


if __name__ == "__main__":
    raise SystemExit(main())
