"""data_prep.ravdess: names, groups of actors, folds."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from mertk.data.folds import check_parts, read_fold
from mertk.data.ledger import read_ledger
from mertk.data.manifest import load_manifest, read_three_column_scp, validate_directory
from mertk.data_prep import corpora, ravdess
from mertk.data_prep.ravdess_corpus import CLASSES
from mertk.data_prep.ravdess_folds import PUBLISHED_GROUPS, group_actors
from mertk.errors import MertkError
from tests.acted_clips import write_video
from tests.unit.iemocap_tree import write_wav

REAL = Path(__file__).parents[3] / "shared" / "data" / "ravdess"


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """Twelve actors with one recording of each emotion."""
    return write_corpus(tmp_path / "corpus", 12)


def write_corpus(root: Path, num_actors: int, with_pictures: bool = False) -> Path:
    """One recording of each emotion by each actor, as the corpus calls them."""
    for actor in range(1, num_actors + 1):
        for emotion in range(1, 9):
            take = f"01-{emotion:02d}-01-{1 + emotion % 2:02d}-01-{actor:02d}"
            write_wav(root / f"Actor_{actor:02d}" / f"03-{take}.wav", seconds=0.01)
            if with_pictures:
                write_video(root / f"Actor_{actor:02d}" / f"02-{take}.mp4", has_sound=False)
    return root


def prepare(corpus: Path, *options: str) -> int:
    return ravdess.main(["--corpus", str(corpus), "--out", str(corpus.parent / "data"), *options])


def test_every_actor_is_tested_once_and_is_nowhere_else(corpus: Path) -> None:
    assert prepare(corpus) == 0
    data = corpus.parent / "data"
    assert validate_directory(data) == []
    manifest = load_manifest(data)
    for speaker, gender in zip(manifest.column("utt2spk"), manifest.column("utt2gender"), strict=True):
        assert gender == ("male" if int(speaker[-2:]) % 2 else "female")
    assert manifest.classes == list(CLASSES)
    assert manifest.value("utt2label", "03-01-08-01-01-01-12") == "surprised"
    assert manifest.value("text", "03-01-08-01-01-01-12") == "kids are talking by the door"
    tested = []
    for number in range(1, 7):
        folder = data / "folds" / "speaker-clean" / str(number)
        parts = {
            part: {row[0][-2:] for row in read_three_column_scp(folder / f"{part}.scp")}
            for part in ("train", "validation", "test")
        }
        assert [len(parts[part]) for part in ("train", "validation", "test")] == [8, 2, 2]
        assert not parts["train"] & parts["test"] | parts["train"] & parts["validation"]
        assert not parts["validation"] & parts["test"]
        assert sum(int(actor) % 2 for actor in parts["test"]) == 1  # a man and a woman
        tested += parts["test"]
        assert check_parts(manifest, read_fold(folder))["checked"] == ["utterance", "speaker", "audio file"]
        assert load_manifest(folder / "train.scp").classes == list(CLASSES)
    assert len(tested) == len(set(tested)) == 12


def test_other_protocols(corpus: Path) -> None:
    assert prepare(corpus) == 0
    folds = corpus.parent / "data" / "folds"
    refit, published = (folds / f"speaker-{name}" / "6" for name in ("clean-refit", "published"))
    assert not (refit / "validation.scp").exists()
    assert len(read_three_column_scp(refit / "train.scp")) == 80
    assert (published / "validation.scp").read_text() == (published / "test.scp").read_text()
    assert (published / "train.scp").read_text() == (refit / "train.scp").read_text()
    rows = read_three_column_scp(refit / "train.scp")
    assert rows[0] == ("03-01-01-01-02-01-01", str(corpus / "Actor_01" / "03-01-01-01-02-01-01.wav"), "neutral")


@pytest.mark.parametrize(
    ("name", "pattern"),
    [
        ("03-01-09-01-01-01-01", r"Actor_01/03-01-09-01-01-01-01\.wav: unknown emotion code '09' .*08 surprised"),
        ("hello", r"Actor_01/hello\.wav: not a RAVDESS name, expected seven numbers"),
        ("../Actor_02/03-01-01-01-02-01-01", r"utterance 03-01-01-01-02-01-01 is also .*Actor_01/.*; remove one"),
    ],
)
def test_names_that_are_not_ravdess_are_refused(
    corpus: Path, capsys: pytest.CaptureFixture, name: str, pattern: str
) -> None:
    write_wav(corpus / "Actor_01" / f"{name}.wav", seconds=0.01)
    assert prepare(corpus) == 1
    assert re.search(pattern, capsys.readouterr().err)
    assert not (corpus.parent / "data").exists()


def test_every_file_is_counted_and_those_not_taken_are_named(corpus: Path, capsys: pytest.CaptureFixture) -> None:
    write_wav(corpus / "Actor_01" / "03-02-01-01-01-01-01.wav")
    (corpus / "Actor_01" / "._03-01-01-01-01-01-01.wav").write_bytes(b"")
    (corpus / "Actor_01" / "read me.TXT").write_bytes(b"")
    (corpus / "Actor_02.zip").write_bytes(b"")
    assert prepare(corpus) == 0
    output = capsys.readouterr().out
    assert "96 recordings, 6 folds" in output
    assert "100 files seen, 96 taken, 4 left out (other_file 2, " in output
    record = json.loads((corpus.parent / "data" / "corpus.json").read_text())
    assert record["files"]["taken"] == 96
    assert record["left_out"] == {"other_file": 2, "hidden": 1, "song": 1}
    assert {entry.utterance: entry.reason for entry in read_ledger(corpus.parent / "data" / "excluded.tsv")} == {
        "Actor_01/03-02-01-01-01-01-01.wav": "song",
        "Actor_01/._03-01-01-01-01-01-01.wav": "hidden",
        "Actor_01/read_me.TXT": "other_file",
        "Actor_02.zip": "other_file",
    }


def test_suffixes_compare_without_case_and_links_are_followed(corpus: Path, capsys: pytest.CaptureFixture) -> None:
    for actor in (2, 3, 4):
        for file in (corpus / f"Actor_{actor:02d}").iterdir():
            file.rename(file.with_suffix(".WAV" if actor < 4 else ".Wav"))
    for actor in (5, 6):
        (corpus / f"Actor_{actor:02d}").rename(corpus.parent / f"elsewhere_{actor}")
        (corpus / f"Actor_{actor:02d}").symlink_to(corpus.parent / f"elsewhere_{actor}")
    (corpus / "Actor_07" / "again").symlink_to(corpus)  # a loop
    file = corpus / "Actor_08" / "03-01-01-01-02-01-08.wav"
    file.rename(corpus.parent / "one.wav")
    file.symlink_to(corpus.parent / "one.wav")
    assert prepare(corpus) == 0
    assert "96 files seen, 96 taken, 0 left out" in capsys.readouterr().out
    manifest = load_manifest(corpus.parent / "data")
    assert manifest.value("wav.scp", "03-01-01-01-02-01-05") == str(corpus / "Actor_05" / "03-01-01-01-02-01-05.wav")


def test_a_corpus_of_links_into_another_folder(corpus: Path) -> None:
    linked = corpus.parent / "linked"
    linked.mkdir()
    for folder in corpus.iterdir():
        (linked / folder.name).symlink_to(folder)
    assert prepare(linked) == 0
    assert len(load_manifest(corpus.parent / "data")) == 96


def test_what_sets_a_copy_apart_from_the_published_corpus_is_told(corpus: Path, capsys: pytest.CaptureFixture) -> None:
    (corpus / "Actor_03" / "03-01-01-01-02-01-03.wav").rename(corpus / "Actor_03" / "03-01-01-01-02-01-03.mp3")
    (corpus / "Actor_04" / "03-01-01-01-02-01-04.wav").rename(corpus / "Actor_05" / "03-01-01-01-02-01-04.wav")
    assert prepare(corpus) == 0
    errors = capsys.readouterr().err
    assert "warning: 95 recordings of 12 actors, the published speech has 1440 of 24, 60 each" in errors
    assert "1 recordings of speech are there in another form alone and not taken" in errors
    assert "1 recordings lie in the folder of another actor than their name says" in errors
    assert len(json.loads((corpus.parent / "data" / "corpus.json").read_text())["warnings"]) == 3


def test_sound_of_the_version_with_pictures_is_the_same_recording(corpus: Path, capsys: pytest.CaptureFixture) -> None:
    write_wav(corpus / "Actor_01" / "01-01-01-01-02-01-01.wav", seconds=0.01)
    assert prepare(corpus) == 1
    assert re.search(r"utterance 03-01-01-01-02-01-01 is also .*/01-01-01-01-02-01-01", capsys.readouterr().err)


def test_a_folder_of_archives_is_told_what_it_holds(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    (tmp_path / "corpus").mkdir()
    for name in ("Actor_01.zip", "Actor_02.ZIP", "README"):
        (tmp_path / "corpus" / name).write_bytes(b"")
    assert prepare(tmp_path / "corpus") == 1
    error = capsys.readouterr().err
    assert "holds no RAVDESS speech" in error
    assert "3 files seen, 0 taken, 3 left out (other_file 3); other files: " in error
    assert "2 .zip" in error and "1 without suffix" in error


def test_unreadable_recording_and_wrong_path_are_named(corpus: Path, capsys: pytest.CaptureFixture) -> None:
    assert prepare(corpus.parent / "nowhere") == 1
    assert "nowhere does not exist" in capsys.readouterr().err
    file = corpus / "Actor_05" / "03-01-01-01-02-01-05.wav"
    told = r"1 of 96 takes .* 03-01-01-01-02-01-05 \(unreadable_audio: .*Actor_05/03-01-01-01-02-01-05\.wav.*--max_lost"
    file.write_bytes(b"")
    assert prepare(corpus) == 1
    assert re.search(told, capsys.readouterr().err)
    file.unlink()
    file.symlink_to(corpus / "nowhere.wav")
    assert prepare(corpus) == 1
    assert re.search(told, capsys.readouterr().err)
    assert not (corpus.parent / "data").exists()


def test_one_unreadable_recording_among_many_is_a_line_of_the_ledger(
    corpus: Path, capsys: pytest.CaptureFixture
) -> None:
    (corpus / "Actor_05" / "03-01-01-01-02-01-05.wav").write_bytes(b"")
    assert prepare(corpus, "--max_lost", "0.02") == 0
    assert "96 files seen, 95 taken, 1 left out (unreadable_audio 1)" in capsys.readouterr().out
    (entry,) = read_ledger(corpus.parent / "data" / "excluded.tsv")
    assert (entry.utterance, entry.reason) == ("03-01-01-01-02-01-05", "unreadable_audio")
    assert len(load_manifest(corpus.parent / "data")) == 95


def test_groups_of_actors_are_mixed_and_of_equal_size() -> None:
    actors = [f"Actor_{number:02d}" for number in range(1, 25)]
    groups = group_actors(actors, 6)
    assert sorted(actor for group in groups for actor in group) == actors
    for group in groups:
        assert len(group) == 4
        assert sum(int(actor[-2:]) % 2 for actor in group) == 2
    assert [len(group) for group in group_actors(actors[:-2], 6)] == [4, 4, 4, 4, 4, 2]
    with pytest.raises(MertkError, match="4 actors make 2 pairs of a man and a woman, too few for 6 folds"):
        group_actors(actors[:4], 6)


# Sound and picture.


@pytest.fixture
def shown(tmp_path: Path) -> Path:
    """Eight actors as their makers pack them, one take of every emotion under all three modality codes."""
    root = tmp_path / "corpus"
    for actor in range(1, 9):
        for emotion in range(1, 9):
            name, own = f"01-{emotion:02d}-01-01-01-{actor:02d}", f"Actor_{actor:02d}"
            write_wav(root / "Audio_Speech_Actors_01-24" / own / f"03-{name}.wav", seconds=0.2)
            write_video(root / f"Video_Speech_{own}" / own / f"01-{name}.mp4", has_sound=True)
            write_video(root / f"Video_Speech_{own}" / own / f"02-{name}.mp4", has_sound=False)
    return root


def prepare_shown(corpus: Path, *options: str) -> int:
    return prepare(corpus, "--video", "--num_folds", "3", *options)


def audio(corpus: Path, take: str) -> Path:
    return corpus / "Audio_Speech_Actors_01-24" / f"Actor_{take[-2:]}" / f"03-{take}.wav"


def video(corpus: Path, take: str, modality: str = "01") -> Path:
    own = f"Actor_{take[-2:]}"
    return corpus / f"Video_Speech_{own}" / own / f"{modality}-{take}.mp4"


def test_a_take_under_three_modality_codes_is_one_utterance(shown: Path, capsys: pytest.CaptureFixture) -> None:
    silent, unheard = "01-02-01-01-01-03", "01-03-01-01-01-04"
    audio(shown, silent).unlink()  # its sound is that of the video
    video(shown, unheard).unlink()  # its picture is the one without sound
    assert prepare_shown(shown) == 0
    manifest = load_manifest(shown.parent / "data")
    assert len(manifest) == 64 and validate_directory(shown.parent / "data") == []
    fold = shown.parent / "data" / "folds" / "speaker-clean" / "1"
    names = ["fold.json", "test.ids", "train.ids", "validation.ids"]  # no lists of three columns, which have no picture
    assert sorted(path.name for path in fold.iterdir()) == names
    take = "01-01-01-01-01-01"
    assert manifest.value("wav.scp", f"03-{take}") == str(audio(shown, take))
    assert manifest.value("video.scp", f"03-{take}") == str(video(shown, take))
    assert manifest.value("video_segments", f"03-{take}") == "0.0000 0.2500 whole"
    assert manifest.value("wav.scp", f"03-{silent}") == manifest.value("video.scp", f"03-{silent}")
    assert 0.15 < float(manifest.value("utt2dur", f"03-{silent}")) < 0.35
    assert manifest.value("video.scp", f"03-{unheard}") == str(video(shown, unheard, "02"))
    output = capsys.readouterr().out
    assert "64 takes seen, 64 taken, 0 left out" in output
    assert "190 files seen, 127 taken, 63 left out (same_take 63)" in output
    assert read_ledger(shown.parent / "data" / "excluded.tsv").entries == []


def test_sound_alone_is_what_it_was_beside_videos(shown: Path) -> None:
    assert prepare(shown, "--num_folds", "3") == 0
    manifest = load_manifest(shown.parent / "data")
    assert len(manifest) == 64 and not manifest.has("video.scp")
    assert manifest.ids[0] == "03-01-01-01-01-01-01"


def test_takes_that_lack_sound_or_picture_are_told_and_lost(shown: Path, capsys: pytest.CaptureFixture) -> None:
    unseen, unheard, broken = "01-01-01-01-01-01", "01-01-01-01-01-02", "01-01-01-01-01-05"
    for modality in ("01", "02"):
        video(shown, unseen, modality).unlink()
    audio(shown, unheard).unlink()
    video(shown, unheard).unlink()
    video(shown, broken).write_bytes(b"no video")
    assert prepare_shown(shown) == 1
    told = capsys.readouterr().err
    assert "3 of 64 takes" in told and "no_video 1" in told and "no_audio 1" in told and "(--max_lost)" in told
    assert prepare_shown(shown, "--max_lost", "0.1") == 0
    record = json.loads((shown.parent / "data" / "corpus.json").read_text())
    assert (record["count"], record["left_out"]) == (61, {"no_video": 1, "no_audio": 1, "unreadable_video": 1})
    ledger = {entry.utterance: entry.reason for entry in read_ledger(shown.parent / "data" / "excluded.tsv")}
    assert ledger == {
        f"03-{unseen}": "no_video",
        f"03-{unheard}": "no_audio",
        f"03-{broken}": "unreadable_video",
    }


def test_actors_without_any_picture_are_left_out_aloud(shown: Path, capsys: pytest.CaptureFixture) -> None:
    for number in ("07", "08"):
        for file in (shown / f"Video_Speech_Actor_{number}" / f"Actor_{number}").iterdir():
            file.unlink()
    assert prepare_shown(shown) == 0
    assert "2 actors have sound and no picture at all, and are left out: Actor_07, Actor_08" in capsys.readouterr().err
    record = json.loads((shown.parent / "data" / "corpus.json").read_text())
    assert record["count"] == 48 and record["files"]["left_out"]["actor_without_video"] == 16


def test_pictures_of_songs_and_a_folder_without_pictures(shown: Path, capsys: pytest.CaptureFixture) -> None:
    write_video(shown / "Video_Song_Actor_01" / "Actor_01" / "01-02-01-01-01-01-01.mp4", has_sound=True)
    assert prepare_shown(shown) == 0
    assert "193 files seen, 128 taken, 65 left out (same_take 64, song 1)" in capsys.readouterr().out
    assert prepare(shown / "Audio_Speech_Actors_01-24", "--video") == 1
    assert "holds no RAVDESS speech with sound and picture" in capsys.readouterr().err


def test_sound_and_picture_of_different_length_are_told(shown: Path, capsys: pytest.CaptureFixture) -> None:
    write_wav(audio(shown, "01-01-01-01-01-01"), seconds=1.5)
    assert prepare_shown(shown) == 0
    told = capsys.readouterr().err
    assert (
        "sound and picture of 1 utterances differ by more than 0.5 s; the first is 03-01-01-01-01-01-01, 1.500 s"
        in told
    )


@pytest.mark.parametrize("way", ["hicmae", "emobox"])
def test_published_folds_are_those_of_their_authors(tmp_path: Path, way: str) -> None:
    for actor in range(1, 25):
        for emotion in range(1, 9):
            name = f"03-01-{emotion:02d}-01-01-01-{actor:02d}.wav"
            write_wav(tmp_path / "corpus" / f"Actor_{actor:02d}" / name, seconds=0.01)
    assert prepare(tmp_path / "corpus", "--folds_by", "speaker", way) == 0
    folds = tmp_path / "data" / "folds"
    assert sorted(path.name for path in folds.glob("*-clean")) == sorted([f"{way}-clean", "speaker-clean"])
    tested = []
    for number, group in enumerate(PUBLISHED_GROUPS[way], start=1):
        fold = read_fold(folds / f"{way}-clean" / str(number))
        assert fold.info["cv"] == way and fold.name == f"{way}-clean fold {number}"
        assert {int(utterance[-2:]) for utterance in fold.test} == set(group)
        assert check_parts(load_manifest(tmp_path / "data"), fold)["checked"] == ["utterance", "speaker", "audio file"]
        tested += group
    assert sorted(tested) == list(range(1, 25))


def test_published_folds_of_a_part_of_the_actors(corpus: Path, capsys: pytest.CaptureFixture) -> None:
    assert prepare(corpus, "--folds_by", "hicmae") == 1
    told = capsys.readouterr().err
    assert "folds hicmae: none of the actors of fold 4 is there (Actor_13, Actor_14, Actor_15, Actor_16)" in told
    assert prepare(corpus, "--folds_by", "emobox") == 0
    assert "warning: folds emobox lack Actor_13, Actor_14, " in capsys.readouterr().err


def test_the_doctor_knows_the_layout_of_its_makers(shown: Path) -> None:
    found = corpora.check_corpus(shown, {"audio": "waveform", "video": "features"})
    assert (found.status, found.told) == ("ok", f"{shown}: folders of 8 actors, 8 with videos")
    for file in shown.rglob("*.mp4"):
        file.rename(shown / file.name)  # as archives are unpacked into one folder
    assert corpora.check_corpus(shown, {"audio": "waveform", "video": "features"}).status == "ok"
    for file in shown.glob("*.mp4"):
        file.unlink()
    assert corpora.check_corpus(shown, {"audio": "waveform"}, "ravdess").status == "ok"
    found = corpora.check_corpus(shown, {"audio": "waveform", "video": "features"}, "ravdess")
    assert found.status == "FAIL" and "no video (.mp4) in any of them" in found.told


@pytest.mark.corpus
def test_real_recordings(tmp_path: Path) -> None:
    if not REAL.is_dir():
        pytest.skip(f"the RAVDESS recordings are not there ({REAL}); they are not part of the project")
    assert ravdess.main(["--corpus", str(REAL), "--out", str(tmp_path / "data")]) == 0
    manifest = load_manifest(tmp_path / "data")
    assert len(manifest) == 720
    assert [manifest.labels().count(name) for name in CLASSES] == [48, *[96] * 7]
    assert validate_directory(tmp_path / "data") == []
