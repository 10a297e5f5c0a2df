"""What the commands in the documents name: pretrained weights, data directories, trained models; all of it tiny.

Everything is made by the programs themselves, on invented clips, below the working directory, in some seconds.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

import mertk
from mertk.command import main
from mertk.data.manifest import load_manifest, write_manifest
from mertk.run.plan import Run, run_settings
from tests.document_clips import CLASSES, write_clips
from tests.document_corpora import write_corpora, write_features, write_lists
from tests.documents import BLOCKS, ROOT
from tests.listening_model import save_listener
from tests.raw_corpus import write_wavlm
from tests.tiny_encoders import write_encoder

COMMIT = "c" * 40
#: family of the weights of each name on the hub
ON_THE_HUB = {
    "MCG-NJU/videomae-base": "videomae",
    "Qwen/Qwen2.5-0.5B": "qwen2",
    "facebook/hubert-large-ll60k": "hubert",
    "FacebookAI/roberta-base": "roberta",
    "google/siglip-base-patch16-224": "siglip",
    "microsoft/wavlm-base-plus": "wavlm",
    "microsoft/wavlm-large": "wavlm",
    "openai/clip-vit-base-patch16": "clip",
    "openai/clip-vit-base-patch32": "clip",
    "openai/clip-vit-large-patch14": "clip",
    "openai/whisper-small": "whisper",
}
CONF = "recipes/common/conf"
#: over the settings of a method: one epoch, of a narrow model
SHORT = ("training.epochs=1", "training.trackers=[]", "data.num_workers=0", "optimizer.accumulation_steps=1")
SMALL = {
    "foal": ("model.projection_dim=8", "model.num_layers=1"),
    "hscl": ("model.width=8", "model.num_heads=2", "model.num_layers=1"),
}
VOICE = "model.audio_encoder={component: mertk.encoders.log_mel.LogMelEncoder, dimension: 8, num_blocks: 1}"
FACE = "model.video_encoder={component: mertk.encoders.pictures.PictureEncoder, side: 48, channels: [8]}"
SPEAKERS, SESSIONS, OFFICIAL = "speaker", "session", "official"


def write_world(patch: pytest.MonkeyPatch) -> None:
    """Everything that the documents name, below the working directory."""
    here = Path.cwd()
    write_clips(here)
    write_corpora(here / "corpora")
    write_lists(here, here / "corpora/crema-d")
    write_features(here / "MOSI/Processed/unaligned_50.pkl", "mosi")
    write_features(here / "SIMS2/unaligned.pkl", "sims2")
    (here / "recipes").symlink_to(ROOT / "recipes")
    write_hub(here / "hub")
    use_hub(patch, here / "hub")
    write_data()
    write_experiments()
    for name, speakers in (("train", ("Ada", "Bo")), ("validation", ("Cy", "Di"))):
        files = sorted(path for path in Path("clips").iterdir() if path.name.startswith(speakers))
        Path(f"{name}.scp").write_text("".join(f"{path.stem} {path} {path.stem.split('_')[1]}\n" for path in files))
    Path("mine.yaml").write_text("model: {component: mertk.models.foal.FoalNet}\nloss_weights: {ce: 1.0}\n")


def write_hub(cache: Path) -> None:
    """A cache of huggingface_hub with weights of every name."""
    writers: dict[str, Callable[[Path], object]] = {
        name: write_wavlm if kind == "wavlm" else lambda folder, kind=kind: write_encoder(folder, kind)
        for name, kind in ON_THE_HUB.items()
    }
    bert = Path("MOSI/Processed/mosi_miniature/models/bert")  # which made the tokens of that file
    writers["google-bert/bert-base-uncased"] = lambda folder: shutil.copytree(bert, folder)
    for name, write in writers.items():
        folder = cache / f"models--{name.replace('/', '--')}"
        write(folder / "snapshots" / COMMIT)
        (folder / "refs").mkdir()
        (folder / "refs/main").write_text(COMMIT)


def use_hub(patch: pytest.MonkeyPatch, cache: Path) -> None:
    """Have this process, and those that it starts, look for weights there."""
    patch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(cache))
    patch.setenv("HF_HUB_CACHE", str(cache))


def write_data() -> None:
    """Data directories of the clips, of videos and of a file of features, as the recipes make them."""
    call("prepare", "csv", "sessions.csv", "--out", "data/iemocap", "--folds", "3", "--keep_together", "session")
    call("prepare", "csv", "clips.csv", "--out", "data/own/clips", "--folds", "3")
    for directory in ("data/iemocap", "data/own/clips"):  # two are several
        for folds in Path(directory, "folds").iterdir():
            shutil.rmtree(folds / "3")
    shutil.copytree("data/own/clips", "data/mine")
    clip = ("--clip", "openai/clip-vit-large-patch14")
    call("extract", "video", "--data", "data/iemocap", *clip, "--out", "data/iemocap/features/video")
    call("extract", "video", "--data", "data/own/clips", "--side", "48", "--out", "data/own/clips/features/video")
    features = ("--features", "MOSI/Processed/unaligned_50.pkl")
    call("prepare", "mmsa", *features, "--corpus", "mosi", "--out", "data/mosi")
    call("prepare", "raw_video", "--corpus", "corpora/MOSEI", "--name", "mosi", "--out", "data/mosi_raw")
    bert = ("--bert", "google-bert/bert-base-uncased")
    call("extract", "text", "--data", "data/mosi_raw", *bert, "--out", "data/mosi_raw/features/tokens")


def write_experiments() -> None:
    """Trained and scored models, by the names of the documents."""
    save_listener(Path("MODEL"))
    small, own = f"{CONF}/foal/small.yaml", "recipes/own/conf/own.yaml"
    for number in (1, 2):
        train("exp/iemocap/foal/paper", "foal", "iemocap", SESSIONS, number, settings=(VOICE,))
        train("exp/own/clips/foal/small", "foal", "own/clips", SPEAKERS, number, (small, own), (VOICE, FACE))
    train("exp/ravdess/audio/log_mel", "audio", "own/clips", SPEAKERS, 1, settings=(VOICE,))
    train("exp/mosi/hscl/paper", "hscl", "mosi", OFFICIAL, 1)
    mertk.evaluate("exp")
    for other in ("exp/first", "exp/iemocap/foal_miniature/paper", "exp/iemocap/foal/paper_baseline"):
        shutil.copytree("exp/iemocap/foal/paper", other)
    for other in ("tam_ulag", "mult", "tfn"):
        shutil.copytree("exp/mosi/hscl", f"exp/mosi/{other}")


def train(
    exp: str, method: str, data: str, cv: str, fold: int, over: tuple[str, ...] = (), settings: tuple[str, ...] = ()
) -> None:
    """A run of one epoch, as a recipe would have it, with files and settings over those of the method."""
    seed = 1111 if cv == OFFICIAL else 1234
    own = run_settings(Run(cv, "clean", fold, seed), Path("data", data), Path(exp))
    recipe = f"run.recipe={Path(exp).parent.relative_to('exp')}"
    mertk.train([f"{CONF}/{method}.yaml", *over], [*SHORT, *SMALL.get(method, ()), *settings, recipe, *own])


def write_my_voice() -> None:
    """The module of docs/features.md."""
    (module,) = [block.text for block in BLOCKS["features.md"] if "class Loudness" in block.text]
    Path("my_voice.py").write_text(module, encoding="utf-8")


def train_on_loudness() -> None:
    """What the recipe of HSCL trains on the features of that module."""
    Path("MODEL").unlink()
    sound = ("data.inputs.audio.directory=data/mosi_raw/features/loudness", "data.inputs.video=null")
    train("exp/mosi_raw/loudness", "hscl", "mosi_raw", OFFICIAL, 1, settings=(*sound, "model.modalities=[audio, text]"))
    Path("MODEL").symlink_to("exp/mosi_raw/loudness/official-clean/fold_1/seed_1111/best")


def forget_iemocap() -> None:
    """A data directory of the corpus itself is to be made, and none is replaced by that of another."""
    shutil.rmtree("data/iemocap")


def take_a_plain_network() -> None:
    """Models of few layers in place of Foal-Net, whose graph takes ten seconds to write."""
    shutil.rmtree("exp/iemocap/foal/paper/session-clean")
    sound = ("model.modalities=[audio]", "data.inputs.video=null", "data.inputs.text=null")
    train("exp/mosi/lf_dnn/paper", "lf_dnn", "mosi", OFFICIAL, 1, settings=sound)
    shutil.copytree("exp/mosi/lf_dnn/paper/official-clean", "exp/iemocap/foal/paper/session-clean")


def call(*words: str) -> None:
    assert main(list(words)) == 0, words


def copy_world(world: Path, folder: Path) -> None:
    """The world in another folder: what is only read is linked."""
    for path in world.iterdir():
        if path.name in ("data", "exp", "hub"):
            shutil.copytree(path, folder / path.name)
        else:
            (folder / path.name).symlink_to(path)


def given_names(page: str) -> dict[str, object]:
    """What the Python of a page speaks of that stands in its text: `manifest`, of ten talks of two."""
    if page != "data.md":
        return {}
    ids = [f"u{number:02d}" for number in range(40)]
    columns = {"utt2label": {one: CLASSES[number // 20] for number, one in enumerate(ids)}}
    columns["wav.scp"] = {one: f"{one}.wav" for one in ids}
    columns["utt2spk"] = {one: f"s{number % 20:02d}" for number, one in enumerate(ids)}
    columns |= {
        f"utt2{name}": {one: f"talk{number % 10}" for number, one in enumerate(ids)} for name in ("session", "dialogue")
    }
    write_manifest(Path("data/talks"), columns, CLASSES, {"corpus": "talks", "source": "data/talks"})
    return {"manifest": load_manifest(Path("data/talks"))}
