"""The lines of the documents that call a recipe, and a folder in which they can be called as they are written."""

from __future__ import annotations

import re
import shlex
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mertk.command import main
from mertk.data_prep.synthetic import emotion, face, voice
from tests import own_corpus
from tests.documents import DOCUMENTS, ROOT, read_blocks
from tests.raw_corpus import write_bert
from tests.recipes.pretended_data import NUM_LAYERS, leave, leave_corpus
from tests.tiny_encoders import write_encoder

_RECIPE = re.compile(r"(bash (recipes/|my_exp/|\$recipe)|run\.sh( |$))")
#: within prose, in one line or two
_INLINE = re.compile(r"(?<!`)`(bash (?:recipes|my_exp)/[^`]+)`(?!`)")
#: options, each with a value, that change nothing of what is computed
_ELSEWHERE = ("--corpus", "--csv", "--data", "--exp", "--folds", "--seeds", "--num_processes", "--jobs")
_COPIED = re.compile(r"mertk new (\S+) my_exp")

#: a data directory of recordings that a document has made before
RECORDED = "data/mosi_raw"
#: corpora of the documents, and what each is
PLACES = {
    "IEMOCAP_full_release": "iemocap",
    "MOSI": "mmsa",
    "MOSEI": "mmsa",
    "MOSI_recordings": "raw_video",
    "SIMS": "mmsa",
    "SIMS2": "mmsa",
    "SIMS_recordings": "raw_video",
    "RAVDESS": "ravdess",
    "CREMA-D": "cremad",
    "MELD.Raw": "meld",
}
#: what feature files are called there
FILES = ("MOSI/unaligned_50.pkl", "MOSEI/unaligned_50.pkl", "SIMS/unaligned_39.pkl")
#: FILE and DIR of commands within prose, by the corpus of their recipe
MEANT = {
    "mosi": "/corpora/MOSI/unaligned_50.pkl",
    "iemocap": "/corpora/IEMOCAP_full_release",
    "ravdess": "/corpora/RAVDESS",
}
#: published encoders that documents and configurations name, and the family of each: folders of these names stand in
ENCODERS = {
    "microsoft/wavlm-large": "wavlm",
    "microsoft/wavlm-base-plus": "wavlm",
    "openai/whisper-small": "whisper",
    "facebook/w2v-bert-2.0": "wav2vec2-bert",
    "openai/clip-vit-large-patch14": "clip",
    "openai/clip-vit-base-patch32": "clip",
    "facebook/dinov2-base": "dinov2",
    "google-bert/bert-base-uncased": "bert",
    "google-bert/bert-base-chinese": "bert",
    "google-bert/bert-base-multilingual-cased": "bert",
    "microsoft/deberta-v3-base": "deberta-v2",
    "models/wavlm-large": "wavlm",
    "models/clip-vit-large-patch14": "clip",
    "models/bert-base-chinese": "bert",
    **{f"tiny/{name}": name for name in ("wavlm", "clip", "bert")},
}


@dataclass(frozen=True)
class RecipeLine:
    """A command line that calls a recipe.

    Attributes:
        text: its words, comments and line breaks left out.
        places: the documents, and lines, that have it.
        copied: the recipe that `mertk new` has copied before, where it calls a copy.
    """

    text: str
    places: tuple[str, ...]
    copied: str = ""

    @property
    def waits(self) -> bool:
        """Whether it goes on to its end; with --detach another call does."""
        return "--detach" not in self.text

    @property
    def corpora(self) -> set[str]:
        """Names of the corpora that it reads, those below /corpora or /path."""
        named = set(re.findall(r"(?<=[ =])/(?:corpora|path)/([\w.-]+)", self.text))
        return named | ({"MOSI_recordings"} if RECORDED in self.text else set())

    @property
    def kind(self) -> str:
        """What it computes: recipe and options, but for those that say where, how often, or on how much."""
        words = shlex.split(self.text)[1:]
        given = dict(zip(words, words[1:], strict=False))
        recipe = words[0].removeprefix("recipes/").removesuffix("/run.sh")
        told = [f"copy of {self.copied}" if self.copied else recipe]
        told += ["recordings"] if "_recordings" in given.get("--corpus", "") else []
        left_out = [n for n, word in enumerate(words) if word in _ELSEWHERE for n in (n, n + 1)]
        return " ".join(told + [word for n, word in enumerate(words) if n and n not in left_out])

    def command(self, corpora: Path) -> str:
        """What is called in a world: /models is there, and /corpora, also named /path, is `corpora`."""
        text = re.sub(r"(?<=[ =])/(corpora|path)/", f"{corpora}/", self.text)
        return re.sub(r"(?<=[ =])/(?=models/)", "", text)


def read_lines() -> list[RecipeLine]:
    """Every line of the documents that calls a recipe, once."""
    found: dict[tuple[str, str], list[str]] = {}
    for path in DOCUMENTS:
        whole = path.read_text(encoding="utf-8")
        copied = "".join(_COPIED.findall(whole))
        shown = [
            (block.place, line.replace("$recipe", _variable(block.text)))
            for block in read_blocks(path)
            if block.kind == "commands"
            for line in block.commands()
            if _RECIPE.match(line)
        ]
        told = [(path.name, " ".join(text.split())) for text in _INLINE.findall(whole)]
        for place, line in [*shown, *told]:
            text = _written_out(line)
            found.setdefault((text, copied if "my_exp" in text else ""), []).append(place)
    return [RecipeLine(text, tuple(places), copied) for (text, copied), places in found.items()]


def _variable(block: str) -> str:
    """What `recipe` is set to in a block."""
    return "".join(re.findall(r"^\s*recipe=(\S+)", block, re.MULTILINE))


def _written_out(line: str) -> str:
    """Comments left out, `run.sh` that of Foal-Net, FILE and DIR those of the recipe's corpus."""
    words = shlex.split(line, comments=True)
    if words[0] == "run.sh":
        words[:1] = ["bash", "recipes/iemocap/foal/run.sh"]
    corpus = words[1].split("/")[1]
    return shlex.join(MEANT[corpus] if word in ("FILE", "DIR") else word for word in words)


def make_world(folder: Path) -> Path:
    """A checkout of its own with the recipes, a table of clips, and encoders in the place of published ones."""
    shutil.copytree(
        ROOT / "recipes", folder / "recipes", ignore=lambda _, names: [n for n in names if n.endswith((".png", ".md"))]
    )
    for name in ("mertk", "data_prep", "setup.cfg", "constraints.txt"):
        (folder / name).symlink_to(ROOT / name)
    made: dict[str, Path] = {}
    for name, kind in ENCODERS.items():
        place = folder / name
        place.parent.mkdir(exist_ok=True)
        if kind in made:
            place.symlink_to(made[kind])
        elif kind == "bert":
            made[kind] = write_bert(place)
        else:
            deep = {"num_hidden_layers": NUM_LAYERS} if kind == "wavlm" else {}
            made[kind] = write_encoder(place, kind, **deep)
    write_clips(folder)
    return folder


def write_clips(folder: Path) -> None:
    """clips.csv: a short clip of each class by each speaker, and what is said."""
    rows = ["file,label,speaker,text"]
    for number, speaker in enumerate(own_corpus.SPEAKERS):
        rng = np.random.default_rng([7, number])
        traits, speech = face.draw_face(rng, "FM"[number % 2]), voice.draw_voice(rng, "FM"[number % 2])
        for label, short in own_corpus.CLASSES.items():
            path = folder / "clips" / f"{number}_{label}.mp4"
            own_corpus.write_clip(path, rng, traits, speech, emotion.show(rng, short), seconds=0.6)
            rows.append(f"clips/{path.name},{label},{speaker},{'good world' if label == 'happy' else 'bad world'}")
    leave(folder / "clips.csv", "\n".join(rows) + "\n")


def pretend_corpora(corpora: Path) -> None:
    """Corpora that documents name, of empty files."""
    for place, kind in PLACES.items():
        leave_corpus(kind, corpora / place, is_miniature=False)
    for name in FILES:
        leave(corpora / name)


def begin(line: RecipeLine, corpora: Path, run: Callable[[list[str]], int], kept: Sequence[str] = ()) -> None:
    """Clear a world of what an earlier line made, and do what documents do before this one.

    That is a copy of a recipe, a search of settings, or data and features of recordings.

    Args:
        run: runs a command of mertk.
        kept: folders that stay.
    """
    for name in {"data", "exp", "my_exp"}.difference(kept):
        shutil.rmtree(name, ignore_errors=True)
    if line.copied:
        assert main(["new", line.copied, "my_exp"]) == 0
    for name in re.findall(r"--config (\S+)", line.text):
        leave(Path(name), "optimizer: {learning_rate: 1.0e-4}\n")
    if RECORDED in line.text:
        corpus = ["--corpus", str(corpora / "MOSI_recordings"), "--name", "mosi"]
        assert run(["prepare", "raw_video", *corpus, "--out", RECORDED]) == 0
        assert run(["extract", "audio", "--data", RECORDED, "--out", f"{RECORDED}/features/loudness"]) == 0
