"""mertk.data.folding and mertk.data.groups: folds of any corpus by any column."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from mertk.data.folding import TooFewGroups, make_folds
from mertk.data.folds import PROTOCOLS, Fold, check_parts, read_fold, write_folds
from mertk.data.groups import divide, group_by
from mertk.data.manifest import Manifest
from mertk.errors import MertkError

CLASSES = ["angry", "happy", "sad"]


def make_manifest(rows: list[tuple[str, ...]], *columns: str, classes: list[str] | None = CLASSES) -> Manifest:
    """Rows of utterance, label, and a value of each of the columns."""
    rows = sorted(rows)
    values = {name: [row[2 + number] for row in rows] for number, name in enumerate(columns)}
    return Manifest(Path("tiny"), [row[0] for row in rows], classes, {}, {"utt2label": [r[1] for r in rows], **values})


def speakers(num_speakers: int = 12, seed: int = 0) -> Manifest:
    """Speakers who say different numbers of utterances, each of some classes much more than of others."""
    random = np.random.default_rng(seed)
    rows = []
    for speaker in range(num_speakers):
        leaning = random.dirichlet(np.ones(len(CLASSES)) * 0.5)
        for number in range(int(random.integers(5, 40))):
            rows.append((f"s{speaker:02d}_{number:03d}", str(random.choice(CLASSES, p=leaning)), f"s{speaker:02d}"))
    return make_manifest(rows, "utt2spk")


def dialogues() -> Manifest:
    """Six dialogues of two of three speakers each; an utterance is a file of its own."""
    pairs = ["AB", "BC", "CA"] * 2
    rows = []
    for number, pair in enumerate(pairs):
        for speaker in pair:
            for label in CLASSES:
                name = f"d{number}_{speaker}_{label}"
                rows.append((name, label, speaker, f"d{number}", f"/wav/{name}.wav"))
    return make_manifest(rows, "utt2spk", "utt2dialogue", "wav.scp")


def told(folds: list[Fold], key: str) -> list[str]:
    return [name for fold in folds for name in fold.info[key]]


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_k_folds_test_every_speaker_once(protocol: str) -> None:
    manifest = speakers()
    folds = make_folds(manifest, "speaker", 4, protocol)
    assert [fold.name for fold in folds] == [f"speaker-{protocol} fold {number}" for number in (1, 2, 3, 4)]
    assert sorted(told(folds, "test_speakers")) == sorted(set(manifest.column("utt2spk")))
    for number, fold in enumerate(folds):
        check_parts(manifest, fold)
        following = {"clean": folds[(number + 1) % 4].test, "clean-refit": [], "published": fold.test}[protocol]
        assert fold.validation == following
        assert fold.info["left_out"] == 0
        assert len({*fold.train, *fold.validation, *fold.test}) == len(manifest)


def test_k_folds_have_as_much_of_each_class() -> None:
    manifest = speakers(30)
    label_of = dict(zip(manifest.ids, manifest.labels(), strict=True))
    whole = Counter(manifest.labels())
    for fold in make_folds(manifest, "speaker", 3):
        counts = Counter(label_of[utterance] for utterance in fold.test)
        assert all(abs(counts[name] / whole[name] - 1 / 3) < 0.08 for name in CLASSES), counts
    assert make_folds(manifest, "speaker", 3) == make_folds(manifest, "speaker", 3)


def test_intensities_are_balanced_by_range_and_what_has_no_labels_by_size() -> None:
    rows = [(f"s{speaker}_{number}", str(speaker / 10), f"s{speaker}") for speaker in range(10) for number in range(3)]
    manifest = make_manifest(rows, "utt2spk", classes=None)
    for group in divide(manifest, group_by(manifest, "speaker"), 2):
        assert sorted(int(name[1]) // 2 for name in group) == [0, 1, 2, 3, 4]
    sizes = {"a": 6, "b": 1, "c": 2, "d": 3}
    rows = [(f"{name}{number}", "", name) for name, size in sizes.items() for number in range(size)]
    manifest = make_manifest(rows, "utt2spk")
    del manifest._columns["utt2label"]
    assert sorted(divide(manifest, group_by(manifest, "speaker"), 2)) == [["a"], ["b", "c", "d"]]


def test_no_fold_is_empty_where_few_speakers_differ_very_much() -> None:
    classes = ["c0", "c1", "c2", "c3"]
    counts = {"a": (0, 3, 0, 0), "b": (0, 0, 5, 0), "c": (0, 2, 290, 8), "d": (7, 0, 0, 0), "e": (0, 1, 0, 0)}
    rows = [
        (f"{name}{label}{number:03d}", label, name)
        for name, each in counts.items()
        for label, count in zip(classes, each, strict=True)
        for number in range(count)
    ]
    manifest = make_manifest(rows, "utt2spk", classes=classes)
    assert sorted(divide(manifest, group_by(manifest, "speaker"), 5)) == [["a"], ["b"], ["c"], ["d"], ["e"]]


def test_folds_of_utterances_need_no_column() -> None:
    manifest = make_manifest([(f"u{number:02d}", CLASSES[number % 3]) for number in range(30)])
    folds = make_folds(manifest, None, 5)
    assert [fold.name for fold in folds][0] == "utterance-clean fold 1"
    assert sorted(utterance for fold in folds for utterance in fold.test) == manifest.ids
    for fold in folds:
        assert Counter(manifest.value("utt2label", utterance) for utterance in fold.test) == dict.fromkeys(CLASSES, 2)


def test_what_shares_a_dialogue_with_the_test_speaker_is_left_out() -> None:
    manifest = dialogues()
    fold = make_folds(manifest, "speaker", protocol="clean-refit")[0]
    assert fold.info["test_speakers"] == ["A"]
    # B and C remain where they do not talk to A.
    assert {utterance[:4] for utterance in fold.train} == {"d1_B", "d1_C", "d4_B", "d4_C"}
    assert (fold.info["left_out"], fold.info["left_out_speakers"]) == (12, ["B", "C"])
    assert check_parts(manifest, fold)["left_out"] == 12


def test_parts_share_what_they_are_told_to_share(tmp_path: Path) -> None:
    manifest = dialogues()
    with pytest.raises(MertkError, match="dialogue-clean fold 1: no utterance is left for training, since all of them"):
        make_folds(manifest, "dialogue", 3)
    folds = make_folds(manifest, "dialogue", 3, share=["speaker"])
    assert all(len(fold.test) == 12 for fold in folds)
    write_folds(tmp_path / "dialogue-clean", folds)
    fold = read_fold(tmp_path / "dialogue-clean" / "1")
    report = check_parts(manifest, fold)
    assert report["checked"] == ["utterance", "dialogue", "audio file"]
    trained, tested = ({utterance[3] for utterance in ids} for ids in (fold.train, fold.test))
    assert report["shared"]["speaker"]["training and test"]["count"] == len(trained & tested) > 0
    file = tmp_path / "dialogue-clean" / "1" / "fold.json"
    file.write_text(json.dumps({key: value for key, value in fold.info.items() if key != "may_share"}))
    with pytest.raises(MertkError, match="speaker . is in the training part"):
        check_parts(manifest, read_fold(file.parent))


def test_recordings_and_videos_are_groups_too() -> None:
    rows = [(f"u{number}", CLASSES[number % 3], f"/wav/{number // 3}.wav", f"v{number // 6}") for number in range(36)]
    manifest = make_manifest(rows, "wav.scp", "utt2video")
    by_recording, by_video = make_folds(manifest, "recording"), make_folds(manifest, "video", 3)
    assert (len(by_recording), len(by_video)) == (12, 3)
    for fold in by_recording + by_video:
        assert check_parts(manifest, fold)["checked"] == ["utterance", "audio file"]
    for fold in by_video:
        assert check_parts(manifest, fold)["shared_videos"] == {}
    pictures = make_manifest([(name, label, path) for name, label, path, _ in rows], "video.scp")
    assert check_parts(pictures, make_folds(pictures, "recording", 4)[0])["checked"] == ["utterance", "video file"]


def test_groups_of_ones_own_keep_their_order() -> None:
    manifest = speakers(6)
    groups = [["s05", "s00"], ["s01", "s04"], ["s03", "s02"]]
    folds = make_folds(manifest, "speaker", groups=groups)
    assert [fold.info["test_speakers"] for fold in folds] == groups
    assert folds[0].info["train_speakers"] == groups[2]
    for wrong in (groups[:2], [*groups, ["s09"]], [*groups, ["s00"]], [*groups, []]):
        with pytest.raises(MertkError, match="groups: every value must be in one of them"):
            make_folds(manifest, "speaker", groups=wrong)


@pytest.mark.parametrize(
    ("options", "pattern"),
    [
        ({"k": 13}, "tiny: 13 folds of 12 groups; expected a number of folds from 2 to that of the groups"),
        ({"k": 1}, "1 folds of 12 groups"),
        ({"k": 3, "within": "session"}, "exclude each other"),
        ({"share": ["speaker"]}, "share: the parts of folds by speaker cannot share a speaker"),
        ({"share": ["room"]}, "share: room is none of speaker, session, dialogue, recording"),
        ({"protocol": "dirty"}, "protocol 'dirty' is not known"),
        ({"column": "session"}, "has no column utt2session, which folds by session need; add it, or make folds by sp"),
    ],
)
def test_what_cannot_be_is_refused(options: dict, pattern: str) -> None:
    with pytest.raises(MertkError, match=pattern):
        make_folds(speakers(), **options)


def test_too_few_groups_for_a_protocol_are_told_apart() -> None:
    manifest = speakers(2)
    assert len(make_folds(manifest, protocol="published")) == 2
    with pytest.raises(TooFewGroups, match="protocol clean needs at least 3 speakers, there are 2") as caught:
        make_folds(manifest)
    assert caught.value.kind == "speaker"
