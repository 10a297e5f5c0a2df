"""A data directory on which the real training program takes a second."""

import numpy as np
import soundfile

from mertk.config import load_config
from mertk.data.feature_store import FeatureRecord, FeatureWriter, merge_parts
from mertk.data.folds import Fold, write_folds
from mertk.data.manifest import write_manifest

CLASSES = ["angry", "sad"]
MODEL = "model={component: tests.toy.Classifier, dropout: 0.0}"
SETTINGS = (
    *(MODEL, "loss_weights.ce=1", "training.epochs=2", "training.trackers=[]", "training.log_every=100"),
    *("sampler.batch_size=8", "data.num_workers=0", "data.inputs.video.kind=features"),
)


def write_data(directory, count=24, **options):
    """Data directory with features of the video and one fold of each protocol."""
    ids = [f"u{number:03d}" for number in range(count)]
    labels = {name: CLASSES[number % 2] for number, name in enumerate(ids)}
    columns = {"utt2label": labels, "utt2spk": {name: name for name in ids}}
    write_manifest(directory, columns, CLASSES, {"corpus": "toy", "source": str(directory)})
    write_features(directory, ids, **options)
    for protocol in ("clean", "published"):
        fold = Fold(ids[8:], ids[4:8], ids[:4])
        if protocol == "published":
            fold.validation = list(fold.test)
        fold.info = {"cv": "session", "protocol": protocol, "fold": 1}
        write_folds(directory / "folds" / f"session-{protocol}", [fold])


def write_features(directory, ids, **options):
    record = FeatureRecord("video", "toy", "/weights", "abc", "all", 5.0, 4, options=options)
    random = np.random.RandomState(3)
    with FeatureWriter(directory / "features" / "video", record) as writer:
        for number, name in enumerate(ids):
            frames = random.standard_normal((random.randint(2, 9), 4)) + (1 if number % 2 else -1)
            writer.write(name, frames.astype(np.float32))
    merge_parts(directory / "features" / "video", ids)


def write_recordings(directory, count=24, sample_rate_hz=1000):
    """A waveform of half a second, or somewhat more, to each utterance of `write_data`."""
    lines = []
    for number in range(count):
        path = directory / "recordings" / f"u{number:03d}.wav"
        path.parent.mkdir(exist_ok=True)
        samples = 0.1 * np.random.RandomState(number).standard_normal(500 + 10 * number)
        soundfile.write(path, samples, sample_rate_hz)
        lines.append(f"{path.stem} {path}\n")
    (directory / "wav.scp").write_text("".join(lines))


def small_config(data, run_dir, *settings, protocol="clean", file=None):
    """Configuration of a run on `write_data`; `file` comes before the settings."""
    fold = data / "folds" / f"session-{protocol}" / "1"
    own = [f"data.{part}={fold / f'{part}.ids'}" for part in ("train", "validation", "test")]
    own += [f"data.directory={data}", f"run.output_dir={run_dir}", f"run.protocol={protocol}", "run.cv=session"]
    return load_config([] if file is None else [file], [*SETTINGS, *own, *settings])
