"""data_prep.cremad: names, votes, folds, oddities of the corpus; its published tables where they are there."""

from __future__ import annotations

import csv
import json
import shutil
from collections import Counter
from pathlib import Path

import pytest

from mertk.data.corpus_files import CorpusFiles
from mertk.data.folds import read_fold
from mertk.data.ledger import Ledger, read_ledger
from mertk.data.manifest import load_manifest, validate_directory
from mertk.data_prep import corpora, cremad
from mertk.data_prep.acted_takes import Take
from mertk.data_prep.cremad_corpus import CLASSES, EMOTIONS, LABELS, group_actors, read_clips, read_sexes
from mertk.errors import MertkError
from tests.acted_clips import write_video
from tests.unit.iemocap_tree import write_wav

TABLES = Path(__file__).parents[3] / "shared" / "data" / "cremad"


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    return write_corpus(tmp_path / "corpus")


def write_corpus(root: Path) -> Path:
    """Ten actors, a clip of each emotion."""
    actors = [str(number) for number in range(1001, 1011)]
    names = [f"{actor}_DFA_{code}_XX" for actor in actors for code in EMOTIONS]
    for name in names:
        write_sound(root / "AudioWAV" / f"{name}.wav")
        write_video(root / "VideoFlash" / f"{name}.flv", has_sound=False)
    write_table(
        root / "VideoDemographics.csv",
        ["ActorID", "Age", "Sex", "Race", "Ethnicity"],
        [[actor, "30", ("Male", "Female")[int(actor) % 2], "Asian", "Not Hispanic"] for actor in actors],
    )
    write_votes(root, {name: name[9] for name in names})
    return root


def write_sound(path: Path) -> None:
    """Sound that is not silent."""
    write_wav(path, seconds=0.25)
    content = bytearray(path.read_bytes())
    content[-100:] = bytes(range(100))
    path.write_bytes(content)


def write_table(path: Path, header: list[str], rows: list[list[str]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        csv.writer(file, quoting=csv.QUOTE_ALL).writerows([header, *rows])


def write_votes(root: Path, votes: dict[str, str]) -> None:
    """The table of votes, by which the voice always sounds neutral."""
    header = ["", "FileName", "VoiceVote", "VoiceLevel", "FaceVote", "FaceLevel", "MultiModalVote", "MultiModalLevel"]
    rows = [[str(n), name, "N", "60", vote, "60", vote, "60"] for n, (name, vote) in enumerate(votes.items(), start=1)]
    write_table(root / "processedResults" / "summaryTable.csv", header, rows)


def prepare(corpus: Path, *options: str) -> int:
    return cremad.main(["--corpus", str(corpus), "--out", str(corpus.parent / "data"), *options])


def ledger_of(corpus: Path) -> dict[str, str]:
    return {entry.utterance: entry.reason for entry in read_ledger(corpus.parent / "data" / "excluded.tsv")}


def test_every_actor_is_tested_once_with_as_many_women_and_men(corpus: Path) -> None:
    assert prepare(corpus) == 0
    data = corpus.parent / "data"
    assert validate_directory(data) == []
    manifest = load_manifest(data)
    assert (len(manifest), manifest.classes) == (60, list(CLASSES))
    name = "1004_DFA_FEA_XX"
    assert set(manifest.column("utt2gender")) == {"female", "male"}
    values = [manifest.value(column, name) for column in ("utt2label", "utt2spk", "text", "wav.scp", "video.scp")]
    assert values[:3] == ["fearful", "1004", "Don't forget a jacket."]
    assert values[3:] == [str(corpus / "AudioWAV" / f"{name}.wav"), str(corpus / "VideoFlash" / f"{name}.flv")]
    tested = []
    for number in range(1, 6):
        actors = {utterance[:4] for utterance in read_fold(data / "folds" / "speaker-clean" / str(number)).test}
        assert sorted(int(actor) % 2 for actor in actors) == [0, 1]
        tested += actors
    assert len(tested) == len(set(tested)) == 10


def test_sound_alone_needs_no_videos(corpus: Path, capsys: pytest.CaptureFixture) -> None:
    shutil.rmtree(corpus / "VideoFlash")
    assert prepare(corpus) == 1
    assert "has no folder VideoFlash" in capsys.readouterr().err
    assert prepare(corpus, "--no_video") == 0
    assert not load_manifest(corpus.parent / "data").has("video.scp")


def test_converted_pictures_are_taken_where_there_is_no_other(corpus: Path) -> None:
    first, *others = sorted((corpus / "VideoFlash").iterdir())
    write_video(first.with_suffix(".mp4"), has_sound=False)
    for path in others:
        path.unlink()
        write_video(path.with_suffix(".MP4"), has_sound=False)
    assert prepare(corpus) == 0
    videos = load_manifest(corpus.parent / "data").column("video.scp")
    assert [Path(path).suffix for path in videos] == [".flv"] + 59 * [".MP4"]
    assert ledger_of(corpus) == {f"VideoFlash/{first.stem}.mp4": "duplicate"}


def test_the_folder_above_the_corpus_is_told_where_it_is(corpus: Path, capsys: pytest.CaptureFixture) -> None:
    assert prepare(corpus.parent) == 1
    assert f"no folder AudioWAV; expected CREMA-D with AudioWAV/1001_DFA_ANG_XX; it is in {corpus}: give that" in (
        capsys.readouterr().err
    )


def test_silence_and_missing_files_are_lines_of_the_ledger(corpus: Path, capsys: pytest.CaptureFixture) -> None:
    write_wav(corpus / "AudioWAV" / "1001_DFA_SAD_XX.wav", seconds=0.25)
    (corpus / "AudioWAV" / "1002_DFA_SAD_XX.wav").unlink()
    (corpus / "VideoFlash" / "1003_DFA_SAD_XX.flv").unlink()
    (corpus / "AudioWAV" / "1004_DFA_SAD_XX.wav").write_bytes(b"")
    (corpus / "AudioWAV" / "1005_DFA_SAD_XX.wav").rename(corpus / "AudioWAV" / "1005_DFA_SAD_X.wav")  # as one is called
    write_sound(corpus / "AudioWAV" / "1011_DFA_SAD_XX.wav")
    write_sound(corpus / "AudioWAV" / "notes.wav")
    assert prepare(corpus) == 1
    assert "4 of 60 takes" in capsys.readouterr().err
    assert prepare(corpus, "--max_lost", "0.1") == 0
    assert "warning: 4 clips cannot be used; the first is " in capsys.readouterr().err
    assert ledger_of(corpus) == {
        "1001_DFA_SAD_XX": "silent_audio",
        "1002_DFA_SAD_XX": "no_audio",
        "1003_DFA_SAD_XX": "no_video",
        "1004_DFA_SAD_XX": "unreadable_audio",
        "AudioWAV/1011_DFA_SAD_XX.wav": "no_row",
        "AudioWAV/notes.wav": "bad_name",
    }
    assert load_manifest(corpus.parent / "data").value("wav.scp", "1005_DFA_SAD_XX").endswith("1005_DFA_SAD_X.wav")


def test_labels_by_votes_and_ties_that_have_none(corpus: Path, capsys: pytest.CaptureFixture) -> None:
    votes = {name: name[9] for name in load_names(corpus)}
    votes |= {"1001_DFA_ANG_XX": "D", "1002_DFA_ANG_XX": "A:D", "1003_DFA_ANG_XX": "A:D:N"}
    write_votes(corpus, votes)
    assert prepare(corpus, "--labels", "face") == 0
    manifest = load_manifest(corpus.parent / "data")
    assert (len(manifest), manifest.corpus["labels"]) == (58, "face")
    assert manifest.value("utt2label", "1001_DFA_ANG_XX") == "disgust"
    assert "warning: 2 clips are left out since the raters' votes tie" in capsys.readouterr().err
    assert set(ledger_of(corpus).values()) == {"label_not_in_map"}
    assert prepare(corpus, "--labels", "voice") == 1  # which are all neutral
    write_votes(corpus, {"1001_DFA_ANG_XX": "X"})
    assert prepare(corpus, "--labels", "both") == 1
    assert "summaryTable.csv:2: MultiModalVote 'X', expected one of A, D, F, H, N, S" in capsys.readouterr().err
    assert prepare(corpus) == 1  # the table names one clip alone, of one class


def load_names(corpus: Path) -> list[str]:
    return sorted(path.stem for path in (corpus / "AudioWAV").iterdir())


def test_without_a_table_of_votes_the_files_say_which_clips_there_are(corpus: Path) -> None:
    shutil.rmtree(corpus / "processedResults")
    with pytest.raises(MertkError, match=r"summaryTable\.csv: no such file; copy it from the repository"):
        cremad.prepare(corpus, corpus.parent / "data", labels="both")
    manifest = cremad.prepare(corpus, corpus.parent / "data")
    assert len(manifest) == 60
    assert manifest.corpus["warnings"] == ["60 clips of 10 actors, the published corpus has 7442 of 91"]


def test_pointers_of_git_lfs_and_unknown_actors_are_told(corpus: Path, capsys: pytest.CaptureFixture) -> None:
    sounds = corpus / "AudioWAV"
    write_sound(sounds / "1999_DFA_SAD_XX.wav")
    write_votes(corpus, {name: name[9] for name in load_names(corpus)})
    write_video(corpus / "VideoFlash" / "1999_DFA_SAD_XX.flv", has_sound=False)
    assert prepare(corpus) == 1
    assert "VideoDemographics.csv does not have actor 1999" in capsys.readouterr().err
    for path in sounds.iterdir():
        path.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 80000\n")
    assert prepare(corpus) == 1
    assert "is no recording but a pointer of Git LFS; run `git lfs pull`" in capsys.readouterr().err
    found = corpora.check_corpus(corpus)
    assert found.status == "FAIL" and "is a pointer of Git LFS" in found.told


def test_the_doctor_knows_the_corpus(corpus: Path) -> None:
    found = corpora.check_corpus(corpus, {"audio": "waveform", "video": "features"})
    assert (found.status, found.told) == ("ok", f"{corpus}: 60 files in AudioWAV, 60 files in VideoFlash")
    for path in (corpus / "VideoFlash").iterdir():
        path.rename(path.with_suffix(".avi"))
    found = corpora.check_corpus(corpus, {"audio": "waveform", "video": "features"})
    assert (found.status, found.told) == ("FAIL", f"{corpus}/VideoFlash: no .flv or .mp4 in it")
    shutil.rmtree(corpus / "VideoFlash")
    assert corpora.check_corpus(corpus, {"audio": "waveform"}).status == "ok"
    assert "VideoFlash missing" in corpora.check_corpus(corpus, name="cremad").told


needs_tables = pytest.mark.skipif(not TABLES.is_dir(), reason=f"the tables of CREMA-D are not there ({TABLES})")


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The published tables beside sounds that are empty files."""
    root = tmp_path_factory.mktemp("cremad")
    shutil.copyfile(TABLES / "VideoDemographics.csv", root / "VideoDemographics.csv")
    for name in ("summaryTable.csv", "tabulatedVotes.csv"):
        (root / "processedResults").mkdir(exist_ok=True)
        shutil.copyfile(TABLES / name, root / "processedResults" / name)
    (root / "AudioWAV").mkdir()
    with (root / "processedResults" / "summaryTable.csv").open() as file:
        for row in csv.DictReader(file):
            (root / "AudioWAV" / f"{row['FileName']}.wav").touch()
    return root


@pytest.fixture(scope="module")
def by_labels(published: Path) -> dict[str, tuple[list[Take], CorpusFiles, Ledger]]:
    """What is read of the published tables, by what decides the class."""
    ledgers = {labels: Ledger() for labels in LABELS}
    return {labels: (*read_clips(published, ledger, labels, video=False), ledger) for labels, ledger in ledgers.items()}


@pytest.mark.corpus
@needs_tables
def test_the_published_tables_have_all_clips_and_ties(by_labels: dict) -> None:
    ties = {"intended": 0, "voice": 644, "face": 470, "both": 420}
    for labels, (clips, files, ledger) in by_labels.items():
        assert len(clips) + len(ledger) == 7442 and files.counts()["taken"] == len(clips)
        assert ledger.counts() == ({"label_not_in_map": ties[labels]} if ties[labels] else {})
    clips, *_ = by_labels["intended"]
    counts = Counter(clip.emotion for clip in clips)
    assert counts == dict.fromkeys(CLASSES, 1271) | {"neutral": 1087}
    assert len({clip.actor for clip in clips}) == 91 and all(clip.words for clip in clips)


@pytest.mark.corpus
@needs_tables
def test_the_votes_that_are_read_are_those_of_the_raters(published: Path, by_labels: dict) -> None:
    columns = {"1": "voice", "2": "face", "3": "both"}  # the first digit of a row's number
    read = {labels: {clip.utterance: clip.emotion for clip in clips} for labels, (clips, *_) in by_labels.items()}
    with (published / "processedResults" / "tabulatedVotes.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 3 * 7442
    for row in rows:
        counts = {name: int(row[code[0]]) for code, name in EMOTIONS.items()}
        winners = [name for name, count in counts.items() if count == max(counts.values())]
        vote = read[columns[row[""][0]]].get(row["fileName"])
        assert vote == (winners[0] if len(winners) == 1 else None)


@pytest.mark.corpus
@needs_tables
def test_folds_of_the_published_actors_are_balanced(published: Path, by_labels: dict) -> None:
    clips, *_ = by_labels["intended"]
    sexes = read_sexes(published)
    assert Counter(sexes.values()) == {"Male": 48, "Female": 43}
    groups = group_actors({clip.actor for clip in clips}, sexes)
    assert sorted(map(len, groups)) == [18, 18, 18, 18, 19]
    assert sorted(actor for group in groups for actor in group) == sorted(sexes)
    for group in groups:
        assert sum(sexes[actor] == "Female" for actor in group) in (8, 9)
        counts = Counter(clip.emotion for clip in clips if clip.actor in group)
        for name in CLASSES:
            overall = sum(clip.emotion == name for clip in clips) / len(clips)
            assert abs(counts[name] / counts.total() - overall) < 0.005
    assert json.dumps(groups) == json.dumps(group_actors(sorted(sexes, reverse=True), sexes))
