"""mertk.data.folds: what is in each part, and the proof that nothing crosses."""

from __future__ import annotations

from pathlib import Path

import pytest

from mertk.data import folding
from mertk.data.folds import PROTOCOLS, Fold, check_parts, make_official_fold, read_fold, write_folds
from mertk.data.manifest import Manifest
from mertk.data.overlap import count_overlap, normalize
from mertk.errors import MertkError

SESSIONS = [f"Ses0{number}" for number in range(1, 6)]
CLASSES = ["happy", "sad"]


def make_manifest(sessions: list[str] = SESSIONS) -> Manifest:
    """Per session: an improvised and a scripted dialogue, both speakers, both classes; sessions differ in size."""
    rows = []
    for position, session in enumerate(sessions):
        for dialogue in (f"{session}F_impro01", f"{session}M_script01_1"):
            for speaker in "FM":
                for number in range(2 + position):
                    words = f"sentence {number} of {speaker} in {'script' if 'script' in dialogue else session}"
                    rows.append((f"{dialogue}_{speaker}{number:03d}", session, speaker, dialogue, number, words))
    rows.sort()
    columns = {
        "wav.scp": [f"/corpus/{row[0]}.wav" for row in rows],
        "utt2session": [row[1] for row in rows],
        "utt2spk": [f"{row[1]}_{row[2]}" for row in rows],
        "utt2dialogue": [row[3] for row in rows],
        "utt2label": [CLASSES[row[4] % 2] for row in rows],
        "text": [row[5] for row in rows],
    }
    return Manifest(Path("tiny"), [row[0] for row in rows], list(CLASSES), {}, columns)


def make_folds(manifest: Manifest, cv: str, protocol: str) -> list[Fold]:
    """Folds of a corpus whose speakers meet in sessions and which performs scripts."""
    scripts = {utterance: "script01_1" for utterance in manifest.ids if "script01_1" in utterance}
    within = "session" if cv == "speaker" else None
    return folding.make_folds(manifest, cv, protocol=protocol, within=within, scripts=scripts)


def values(manifest: Manifest, ids: list[str], name: str) -> set[str]:
    return set(manifest.subset(ids).column(name))


@pytest.mark.parametrize("cv", ["session", "speaker"])
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_every_utterance_is_tested_once_and_nothing_crosses(cv: str, protocol: str) -> None:
    manifest = make_manifest()
    folds = make_folds(manifest, cv, protocol)
    assert [fold.info["fold"] for fold in folds] == list(range(1, (5 if cv == "session" else 10) + 1))
    assert sorted(utterance for fold in folds for utterance in fold.test) == manifest.ids
    for fold in folds:
        report = check_parts(manifest, fold)
        assert report["checked"] == ["utterance", "speaker", "session", "dialogue", "audio file"]
        seen = fold.train + fold.validation
        for name in ("utt2spk", "utt2session", "utt2dialogue"):
            assert not values(manifest, fold.train, name) & values(manifest, fold.test, name)
            if protocol != "published":
                assert not values(manifest, seen, name) & values(manifest, fold.test, name)
                assert not values(manifest, fold.train, name) & values(manifest, fold.validation, name)
        parts = fold.train + fold.test + (fold.validation if protocol == "clean" else [])
        assert len(parts) == len(set(parts)) == len(manifest) - fold.info["left_out"]
        assert report["left_out"] == fold.info["left_out"]


def test_clean_session_folds_take_the_next_session_for_validation() -> None:
    for number, fold in enumerate(make_folds(make_manifest(), "session", "clean"), start=1):
        following = SESSIONS[number % 5]
        assert fold.info["test_sessions"] == [f"Ses0{number}"]
        assert fold.info["validation_sessions"] == [following]
        assert fold.info["train_sessions"] == sorted(set(SESSIONS) - {f"Ses0{number}", following})
        assert fold.info["left_out"] == 0


def test_refit_trains_on_all_other_sessions_and_published_selects_on_the_test_part() -> None:
    manifest = make_manifest()
    for refit, published in zip(
        make_folds(manifest, "session", "clean-refit"), make_folds(manifest, "session", "published"), strict=True
    ):
        assert refit.validation == []
        assert published.validation == published.test == refit.test
        assert published.train == refit.train
        assert len(refit.train) == len(manifest) - len(refit.test)


def test_speaker_folds_leave_the_partner_out_of_every_part() -> None:
    manifest = make_manifest()
    folds = make_folds(manifest, "speaker", "clean")
    speakers = [f"{session}_{letter}" for session in SESSIONS for letter in "FM"]
    assert [fold.info["test_speakers"] for fold in folds] == [[speaker] for speaker in speakers]
    for fold in folds:
        (test,) = fold.info["test_speakers"]
        partner = test[:-1] + ("M" if test[-1] == "F" else "F")
        assert fold.info["left_out_speakers"] == [partner]
        for ids in (fold.train, fold.validation, fold.test):
            assert partner not in values(manifest, ids, "utt2spk")
        following = SESSIONS[(SESSIONS.index(test[:5]) + 1) % 5]
        assert values(manifest, fold.validation, "utt2spk") == {f"{following}_F", f"{following}_M"}


def test_folds_are_read_back_as_written(tmp_path: Path) -> None:
    for protocol in PROTOCOLS:
        folds = make_folds(make_manifest(), "session", protocol)
        write_folds(tmp_path / protocol, folds)
        assert [read_fold(tmp_path / protocol / str(number)) for number in range(1, 6)] == folds
    assert not (tmp_path / "clean-refit" / "1" / "validation.ids").exists()
    with pytest.raises(MertkError, match=r"clean/6: no such fold; there is 1, 2, 3, 4, 5"):
        read_fold(tmp_path / "clean" / "6")
    with pytest.raises(MertkError, match=r"run stage 1 to make the folds"):
        read_fold(tmp_path / "nowhere" / "1")
    (tmp_path / "clean" / "1" / "validation.ids").unlink()
    with pytest.raises(MertkError, match=r"validation.ids does not exist"):
        read_fold(tmp_path / "clean" / "1")


@pytest.mark.parametrize(
    ("cv", "protocol", "sessions", "pattern"),
    [
        ("room", "clean", 5, "folds by 'room' are not known; expected one of speaker, session, .*, utterance"),
        ("video", "clean", 5, "tiny has no column utt2video, which folds by video need; add it, or make folds by sp"),
        ("session", "dirty", 5, "protocol 'dirty' is not known; expected one of clean, clean-refit, published"),
        ("session", "clean", 2, r"clean needs at least 3 sessions, there are 2 \(Ses01, Ses02\)"),
        ("speaker", "published", 1, r"published needs at least 2 sessions, there are 1"),
    ],
)
def test_impossible_folds_are_refused(cv: str, protocol: str, sessions: int, pattern: str) -> None:
    with pytest.raises(MertkError, match=pattern):
        make_folds(make_manifest(SESSIONS[:sessions]), cv, protocol)


def broken(change) -> tuple[Manifest, Fold]:
    """A fold that is sound but for `change(manifest, fold)`."""
    manifest = make_manifest()
    fold = make_folds(manifest, "session", "clean")[0]
    change(manifest, fold)
    return manifest, fold


def swap(name: str, value: str):
    """Give the first training utterance another value of column `name`."""

    def change(manifest: Manifest, fold: Fold) -> None:
        manifest.column(name)[manifest.ids.index(fold.train[0])] = value

    return change


@pytest.mark.parametrize(
    ("change", "pattern"),
    [
        (lambda _, f: f.train.append(f.test[0]), r"utterance Ses01F_impro01_F000 is in the training part .*the test"),
        (
            lambda _, f: f.validation.append(f.test[0]),
            r"utterance Ses01F_impro01_F000 is in the validation part .*test",
        ),
        (
            lambda _, f: f.train.append(f.validation[0]),
            r"utterance Ses02F_\w+ is in the training .*the validation part",
        ),
        (swap("utt2spk", "Ses01_M"), r"speaker Ses01_M is in the training part \(utterance Ses03F_impro01_F000\) and"),
        (swap("utt2session", "Ses02"), r"session Ses02 is in the training .* validation part \(utterance Ses02F"),
        (swap("utt2dialogue", "Ses01F_impro01"), r"dialogue Ses01F_impro01 is in the training part"),
        (swap("wav.scp", "/corpus/Ses01F_impro01_F000.wav"), r"audio file /corpus/\S+ is in the training part"),
        (lambda _, f: f.train.append("new"), r"1 of \d+ utterances are not in tiny, the first is new"),
        (lambda _, f: f.train.append(f.train[0]), r"is listed twice"),
        (lambda _, f: f.train.clear(), r"session-clean fold 1: the training part is empty"),
        (lambda _, f: f.validation.clear(), r"the validation part is empty"),
        (lambda _, f: f.test.clear(), r"the test part is empty"),
        (lambda _, f: f.info.update(protocol="published"), r"published validation must be the test part"),
        (
            lambda _, f: f.info.update(protocol="clean-refit"),
            r"clean-refit has no validation part, 12 utterances given",
        ),
        (lambda m, f: m.classes.append("angry"), r"class angry has no utterance in the training part"),
    ],
)
def test_checker_finds_what_crosses(change, pattern: str) -> None:
    manifest, fold = broken(change)
    with pytest.raises(MertkError, match=pattern):
        check_parts(manifest, fold)


def test_speaker_fold_with_the_partner_in_training_is_refused() -> None:
    manifest = make_manifest()
    fold = make_folds(manifest, "speaker", "clean")[0]
    fold.train.append("Ses01F_impro01_M000")
    with pytest.raises(MertkError, match="speaker-clean fold 1: session Ses01 is in the training part"):
        check_parts(manifest, fold)


def test_classes_absent_from_test_and_validation_are_reported() -> None:
    manifest = make_manifest()
    fold = make_folds(manifest, "session", "clean")[0]
    labels = manifest.labels()
    for utterance in fold.test:
        labels[manifest.ids.index(utterance)] = "sad"
    report = check_parts(manifest, fold)
    assert report["absent_in_test"] == ["happy"]
    assert report["absent_in_validation"] == []
    assert report["classes"]["test"] == {"happy": 0, "sad": len(fold.test)}


def test_manifest_without_speakers_is_checked_by_what_it_has() -> None:
    whole = make_manifest()
    fold = make_folds(whole, "session", "clean")[0]
    columns = {name: whole.column(name) for name in ("wav.scp", "utt2label")}
    bare = Manifest(Path("x.scp"), whole.ids, None, {}, columns)
    assert check_parts(bare, fold)["checked"] == ["utterance", "audio file"]


def test_scripted_sentences_that_cross_are_counted() -> None:
    manifest = make_manifest()
    fold = make_folds(manifest, "session", "clean")[0]
    # 8 test utterances, 4 of them scripted; every session performs the same script.
    assert fold.info["scripted_overlap"] == {
        "test_scripted": 4,
        "test_script_in_training": 4,
        "scripts": ["script01_1"],
        "test_transcript_in_training": 4,
        "test_long_transcript_in_training": 4,
    }
    manifest.column("text")[manifest.ids.index(fold.test[0])] = "Yes."
    manifest.column("text")[manifest.ids.index(fold.train[0])] = "yes"
    overlap = count_overlap(manifest.subset(fold.train), manifest.subset(fold.test))
    assert "test_scripted" not in overlap
    assert check_parts(manifest, fold)["scripted_overlap"]["test_scripted"] == 4, "as fold.json has it"
    assert overlap["test_transcript_in_training"] == 5
    assert overlap["test_long_transcript_in_training"] == 4


def test_normalized_transcripts() -> None:
    assert normalize("Oh, my God!  [LAUGHTER] It's_me.") == "oh my god laughter itsme"
    assert normalize(" ... ") == ""


def clips(videos: str) -> Manifest:
    """A corpus with parts of its own: one utterance a word, whose first letter is its video."""
    ids = sorted(videos.split())
    return Manifest(
        Path("clips"), ids, None, {}, {"utt2label": ["0.5"] * len(ids), "utt2video": [name[0] for name in ids]}
    )


@pytest.mark.parametrize("protocol", ["clean", "clean-refit"])
def test_official_parts_make_one_fold(tmp_path: Path, protocol: str) -> None:
    manifest = clips("a1 a2 b1 c1 d1")
    fold = make_official_fold(["b1", "a1", "a2"], ["c1"], ["d1"], protocol)
    refit = protocol == "clean-refit"
    assert fold.train == ["a1", "a2", "b1", *(["c1"] if refit else [])]
    assert fold.validation == ([] if refit else ["c1"])
    assert fold.info["counts"] == {"train": 4 if refit else 3, "validation": 0 if refit else 1, "test": 1}
    write_folds(tmp_path / f"official-{protocol}", [fold])
    assert read_fold(tmp_path / f"official-{protocol}" / "1") == fold
    report = check_parts(manifest, fold)
    assert report["fold"] == f"official-{protocol} fold 1"
    assert report["shared_videos"] == {}
    assert report["left_out"] == 0


def test_official_parts_know_no_selection_on_the_test_part() -> None:
    with pytest.raises(MertkError, match="official parts have clean and clean-refit only"):
        make_official_fold(["a"], ["b"], ["c"], "published")


def test_official_parts_share_what_they_are_known_to_share() -> None:
    ids = ["a", "b", "c"]
    columns = {"utt2label": ["0"] * 3, "utt2spk": ["me"] * 3, "utt2session": ids}
    manifest = Manifest(Path("tiny"), ids, None, {}, columns)
    with pytest.raises(MertkError, match="speaker me is in the training part"):
        check_parts(manifest, make_official_fold(["a"], ["b"], ["c"]))
    report = check_parts(manifest, make_official_fold(["a"], ["b"], ["c"], share=["speaker"]))
    assert report["checked"] == ["utterance", "session"]
    with pytest.raises(MertkError, match="share: video is none of speaker, session, dialogue, recording"):
        make_official_fold(["a"], ["b"], ["c"], share=["video"])


def test_shared_videos_are_counted_and_shared_utterances_refused() -> None:
    manifest = clips("a1 a2 a3 b1 b2 c1")
    fold = make_official_fold(["a1", "b1"], ["a2"], ["a3", "b2", "c1"])
    assert check_parts(manifest, fold)["shared_videos"] == {
        "training and validation": {"count": 1, "example": "a"},
        "training and test": {"count": 2, "example": "a"},
        "validation and test": {"count": 1, "example": "a"},
    }
    fold.test.append("a1")
    with pytest.raises(MertkError, match="official-clean fold 1: utterance a1 is in the training part"):
        check_parts(manifest, fold)
