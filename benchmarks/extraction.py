"""How much sound a speech encoder encodes an hour: one utterance at a time, in batches of like lengths, in bfloat16.

Invented recordings of IEMOCAP's lengths go through an encoder of WavLM-base's sizes and random weights, from sound
files to a feature directory, as `mertk extract audio` does it, in turns, on whatever device there is; bfloat16 on a
GPU alone. Processors gain little from batches, which is why one utterance at a time is their default: its features
are equal to the last bit whatever else is extracted.
"""

from __future__ import annotations

import contextlib
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # the checkout, installed or not

from benchmarks.measuring import benchmark_parser, figure, finish, say
from mertk.cli import program

if TYPE_CHECKING:
    import numpy as np

    from mertk.data.manifest import Manifest
    from mertk.processes import Processes

#: hidden size, layers, heads, channels of the convolutions
SIZES = {"tiny": (48, 2, 4, 16), "base": (768, 12, 12, 512), "large": (1024, 24, 16, 512)}
TOLERANCE = 1e-3


def write_weights(folder: Path, size: str) -> Path:
    """A WavLM of one of SIZES with random weights, normalised as the large one, so that batches pass its front end."""
    import torch
    from transformers import WavLMConfig, WavLMModel

    hidden, layers, heads, channels = SIZES[size]
    config = WavLMConfig(
        hidden_size=hidden,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        intermediate_size=4 * hidden,
        conv_dim=(channels,) * 7,
        feat_extract_norm="layer",
        do_stable_layer_norm=True,
    )
    torch.manual_seed(0)
    WavLMModel(config).save_pretrained(folder)
    preprocessor = {"do_normalize": True, "sampling_rate": 16000}
    (folder / "preprocessor_config.json").write_text(json.dumps(preprocessor), encoding="utf-8")
    return folder


def write_recordings(folder: Path, seconds: np.ndarray, random: np.random.Generator) -> Manifest:
    """A data directory of noise."""
    import soundfile

    from mertk.data.manifest import load_manifest

    folder.mkdir()
    columns: dict[str, list[str]] = {"wav.scp": [], "utt2dur": []}
    for number, length in enumerate(seconds):
        path = folder / f"{number:05d}.wav"
        soundfile.write(path, 0.1 * random.standard_normal(round(length * 16000)), 16000)
        columns["wav.scp"].append(f"{path.stem} {path}\n")
        columns["utt2dur"].append(f"{path.stem} {round(length * 16000) / 16000:.5f}\n")
    for name, lines in columns.items():
        (folder / name).write_text("".join(lines), encoding="utf-8")
    return load_manifest(folder, need=("wav.scp",))


def extract(extractor: Any, manifest: Manifest, out: Path, processes: Processes, batch_seconds: float) -> tuple:
    """Wall and processor seconds from sound files to features on disk, the encoder loaded."""
    from mertk.features.audio_extraction import AudioExtraction

    extraction = AudioExtraction(lambda: extractor, manifest, out, processes, batch_seconds=batch_seconds)
    start, processor = time.perf_counter(), time.process_time()
    with contextlib.redirect_stdout(sys.stderr):  # where the JSON goes
        extraction.run()
    return time.perf_counter() - start, time.process_time() - processor


def largest_difference(manifest: Manifest, one: Path, other: Path) -> float:
    """Of the features of two directories, over the spread of those of the first."""
    import numpy as np

    from mertk.data.feature_store import FeatureStore

    first, second = FeatureStore(one), FeatureStore(other)
    return max(
        float(np.abs(first.read(name) - second.read(name)).max() / first.read(name).std()) for name in manifest.ids
    )


@program
def main(argv: list[str] | None = None) -> int:
    from benchmarks.workload import add_length_options

    parser = benchmark_parser("extraction", __doc__, "--model large --utterances 2000")
    parser.add_argument("--model", choices=SIZES, default="base")
    parser.add_argument("--tiny", action="store_true", help="a tiny encoder and 6 utterances, to try the program")
    parser.add_argument("--utterances", type=int, help="default: 1000 on a GPU, 12 on CPU")
    parser.add_argument("--batch_seconds", type=float, default=120.0, help="of sound in a batch")
    parser.add_argument("--rounds", type=int, default=3, help="of each way, in turns")
    parser.add_argument("--seed", type=int, default=1234)
    add_length_options(parser)
    arguments = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as folder:
        figures, facts = measure(arguments, Path(folder))
    return finish("extraction", arguments, figures, **facts)


def measure(arguments: Any, folder: Path) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Figures of all ways, and what they were measured with."""
    import numpy as np
    import torch

    from benchmarks.workload import draw_seconds
    from mertk.features.corpus_extraction import compute_exactly
    from mertk.features.speech_states import SpeechStates
    from mertk.processes import start_processes

    processes = start_processes()
    on_cpu = processes.computes_on_cpu
    size = "tiny" if arguments.tiny else arguments.model
    count = arguments.utterances or (6 if arguments.tiny else 12 if on_cpu else 1000)
    random = np.random.default_rng(arguments.seed)
    seconds = draw_seconds(arguments, count, random)
    manifest = write_recordings(folder / "data", seconds, random)
    compute_exactly()
    weights = str(write_weights(folder / "weights", size))
    exact = SpeechStates(weights, device=processes.device)
    ways: dict[str, tuple[Any, float]] = {
        "one at a time": (exact, 0.0),
        "batches": (exact, arguments.batch_seconds),
    }
    if not on_cpu:
        ways["batches in bfloat16"] = (
            SpeechStates(weights, device=processes.device, precision="bfloat16"),
            arguments.batch_seconds,
        )
    taken: dict[str, list[tuple]] = {name: [] for name in ways}
    for number in range(-1, arguments.rounds):  # the first is for allocations and first uses
        for name, (extractor, batch_seconds) in ways.items():
            found = extract(extractor, manifest, folder / f"{name} {number}", processes, batch_seconds)
            if number >= 0:
                taken[name].append(found)
                say(f"{name}: {found[0]:.2f} s, {found[1]:.2f} s of processor time")
    total = float(np.sum(seconds))
    first = taken["one at a time"]
    figures = []
    for name, times in taken.items():
        figures.append(figure(f"{name}: hours of sound an hour", [total / wall for wall, _ in times], digits=1))
        figures.append(figure(f"{name}: utterances a second", [count / wall for wall, _ in times], digits=2))
        if name != "one at a time":
            pairs = list(zip(first, times, strict=True))
            figures.append(figure(f"{name} over one at a time", [a[0] / b[0] for a, b in pairs], "x", digits=2))
            if on_cpu:
                told = f"{name} over one at a time, by processor time"
                figures.append(figure(told, [a[1] / b[1] for a, b in pairs], "x", digits=2))
    difference = largest_difference(manifest, folder / "one at a time 0", folder / "batches 0")
    figures.append(figure("largest difference of features, over their spread", difference, at_most=TOLERANCE, digits=8))
    if not on_cpu:
        told = torch.cuda.max_memory_allocated() / 1e9
        figures.append(figure("largest memory of the GPU", told, "GB", digits=2))
    device = "cpu" if on_cpu else torch.cuda.get_device_name()
    return figures, {"device": device, "model": size, "utterances": count, "seconds": round(total, 1)}


if __name__ == "__main__":
    raise SystemExit(main())
