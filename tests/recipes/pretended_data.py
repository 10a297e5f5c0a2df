"""What programs of a recipe leave behind, as far as later ones look at it: corpora, data directories, features."""

from __future__ import annotations

import itertools
import json
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path

from mertk.data.folds import OFFICIAL_PROTOCOLS, PROTOCOLS
from tests.tiny_encoders import SIDE, SIZE

#: what lies in a corpus, folders with a stroke behind them
_SESSION = ("dialog/EmoEvaluation/", "dialog/transcriptions/", "dialog/avi/DivX/", "sentences/wav/")
CORPORA = {
    "iemocap": tuple(f"Session{number}/{name}" for number in range(1, 6) for name in _SESSION),
    "ravdess": ("Actor_01/",),
    "cremad": ("AudioWAV/", "VideoFlash/", "VideoDemographics.csv", "processedResults/summaryTable.csv"),
    "meld": ("train_sent_emo.csv", "train_splits/"),
    "raw_video": ("label.csv", "Raw/"),
    "mmsa": ("unaligned.pkl", "aligned.pkl"),
}
#: by corpus the kinds of its folds, and how many there are
FOLDS = {
    "iemocap": {"session": 5, "speaker": 10},
    "ravdess": {"speaker": 6, "hicmae": 6, "emobox": 6},
    "cremad": {"speaker": 5},
}
OFFICIAL = {"official": 1}
#: of the speech encoders that stand in for published ones
NUM_LAYERS = 12


def leave(path: Path, text: str = "") -> Path:
    """A file, and its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def leave_corpus(kind: str, folder: Path, is_miniature: bool = True) -> None:
    """What lies in a corpus; a miniature has encoders of its own."""
    for name in CORPORA[kind]:
        if name.endswith("/"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        else:
            leave(folder / name)
    if is_miniature:
        leave(folder / "MINIATURE.json", "{}")
        (folder / "models").symlink_to(Path("tiny").absolute())


def leave_data(kind: str, given: Namespace) -> None:
    """A data directory as `mertk prepare KIND` leaves it."""
    source = Path(given.features if kind == "mmsa" else given.corpus)
    if not source.exists():
        raise FileNotFoundError(source)
    miniature = (source if source.is_dir() else source.parent) / "MINIATURE.json"
    name = {"mmsa": given.corpus, "raw_video": getattr(given, "name", "")}.get(kind, kind)
    corpus = {"corpus": str(name), "source": str(source), "miniature": miniature.exists()}
    corpus |= {key: str(getattr(given, key)) for key in ("alignment", "label_map") if getattr(given, key, None)}
    if kind in ("cremad", "meld"):
        corpus["labels"] = str(given.labels)
    leave(given.out / "corpus.json", json.dumps(corpus))
    has_sound = kind != "mmsa" and not getattr(given, "text_only", False)
    has_pictures = has_sound and getattr(given, "video", True)
    columns = {"wav.scp": has_sound, "video.scp": has_pictures, "text": kind not in ("ravdess", "cremad")}
    for column in ("utt2label", *(name for name, there in columns.items() if there)):
        leave(given.out / column)
    if kind == "mmsa":
        for folder, width in (("audio", 5), ("video", 20), ("text", 768), ("tokens", 2)):
            _leave_width(given.out / "features" / folder, {"dim": width})
    asked = getattr(given, "folds_by", None)
    for cv, count in FOLDS.get(kind, OFFICIAL).items():
        if asked is None or cv in asked:
            _leave_folds(given, cv, count)


def _leave_folds(given: Namespace, cv: str, count: int) -> None:
    """Lists of the folds' parts: they are the same empty ones for all data directories."""
    sessions = getattr(given, "sessions", None)
    count = count * len(sessions) // 5 if sessions else count
    shared = Path("pretended/folds").absolute() / str(count)
    if not shared.exists():
        for number, part in itertools.product(range(1, count + 1), ("train", "validation", "test")):
            leave(shared / str(number) / f"{part}.ids")
    for protocol in PROTOCOLS if cv != "official" else OFFICIAL_PROTOCOLS:
        place = given.out / "folds" / f"{cv}-{protocol}"
        place.parent.mkdir(exist_ok=True)
        if not place.is_symlink():
            place.symlink_to(shared)


def leave_features(kind: str, given: Namespace, weights: Sequence[str]) -> None:
    """Features as `mertk extract KIND` leaves them."""
    width = {"dim": SIZE["hidden_size"]}
    if kind == "video" and given.side:
        width = {"dim": given.side**2}
    if kind == "video" and given.pictures:
        width = {"dim": 3 * SIDE**2}
    if kind == "audio" and not weights:
        width = {"dim": 33}
    if kind == "audio" and given.layers:
        count = NUM_LAYERS + 1 if given.layers == "all" else len(given.layers.split(","))
        width = {"dim": count * width["dim"], "layers": count}
    for folder in given.out if isinstance(given.out, list) else [given.out]:
        _leave_width(folder, width)
    if kind == "text" and given.embeddings:
        _leave_width(given.embeddings, width)


def _leave_width(folder: Path, width: dict[str, int]) -> None:
    leave(folder / "features.scp")
    leave(folder / "width.json", json.dumps(width))


def read_width(folder: Path) -> dict[str, int]:
    """How many values a frame has (`dim`), and of how many `layers` they are."""
    return json.loads((folder / "width.json").read_text(encoding="utf-8"))
