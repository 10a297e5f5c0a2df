"""Samples of data: features, data directories, tables and annotations."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from tests.reliability.sample import CLASSES, NAMES, Sample, write


def feature_directory(folder: Path, has_checksums: bool = True) -> Sample:
    from mertk.data.feature_store import FeatureRecord, FeatureStore, FeatureWriter, merge_parts

    record = FeatureRecord("video", "clip", "weights", "abc", "projected", 30.0, 6, options={"max_seconds": 6.0})
    arrays = {name: np.random.default_rng(row).random((2 + row, 6), np.float32) for row, name in enumerate(NAMES)}
    with FeatureWriter(folder, record) as writer:
        for name, array in arrays.items():
            writer.write(name, array)
    merge_parts(folder, arrays)
    if not has_checksums:
        write(folder / "record.json", json.loads((folder / "record.json").read_text()) | {"format": 1})
        (folder / "utt2checksum").unlink()

    def read() -> dict[str, np.ndarray]:
        store = FeatureStore(folder)
        return {name: store.read(name) for name in store.ids}

    def is_true(found: dict[str, np.ndarray]) -> bool:
        same = found.keys() == arrays.keys() and all(np.array_equal(found[name], arrays[name]) for name in arrays)
        return same or not has_checksums or json.loads((folder / "record.json").read_text())["format"] == 1

    files = [path for path in folder.iterdir() if path.suffix != ".index"]
    return Sample(sorted(files), read, is_true)


def old_feature_directory(folder: Path) -> Sample:
    return feature_directory(folder, has_checksums=False)


def unfinished_features(folder: Path) -> Sample:
    from mertk.data.feature_store import FeatureStore, FeatureWriter, finished_entries, merge_parts, read_record

    array = feature_directory(folder).read()[NAMES[3]].copy()

    def read() -> np.ndarray:
        record = read_record(folder)
        finished_entries(folder)
        with FeatureWriter(folder, record) as writer:
            if "new" not in writer.finished:
                writer.write("new", np.ones((3, 6)))
        merge_parts(folder, ["new", NAMES[3]])
        store = FeatureStore(folder)
        return store.read(NAMES[3])

    def is_true(found: np.ndarray) -> bool:
        return np.array_equal(found, array) or json.loads((folder / "record.json").read_text())["format"] == 1

    return Sample([folder / "record.json", folder / "part-00000-of-00001.index"], read, is_true)


def data_directory(folder: Path) -> Sample:
    from mertk.data.folding import make_folds
    from mertk.data.folds import check_parts, read_fold, write_folds
    from mertk.data.manifest import load_manifest, validate_directory

    columns = {
        "wav.scp": lambda name: f"/none/{name}.wav",
        "utt2label": lambda name: CLASSES[int(name[-1])],
        "utt2spk": lambda name: name[:6],
        "utt2session": lambda name: name[:5],
        "utt2dialogue": lambda name: name[:14],
        "utt2dur": lambda name: "1.5",
        "utt2vad": lambda name: "2.5 2.5 3",
        "video_segments": lambda name: "0.0 1.5 left",
        "text": lambda name: f"What is it, {name[-1]}?",
    }
    files = [
        write(folder / column, "".join(f"{name} {value(name)}\n" for name in NAMES))
        for column, value in columns.items()
    ]
    files.append(write(folder / "classes.txt", "".join(f"{name}\n" for name in CLASSES)))
    files.append(write(folder / "corpus.json", {"miniature": True, "metrics": None}))
    write_folds(folder / "folds" / "session-clean", make_folds(load_manifest(folder), "session"))
    fold = folder / "folds" / "session-clean" / "1"
    files += sorted(fold.iterdir())

    def read() -> None:
        validate_directory(folder, check_files=False)
        manifest = load_manifest(folder)
        for column in columns:
            manifest.column(column)
        check_parts(manifest, read_fold(fold))
        make_folds(manifest, "speaker", protocol="published", within="session")

    return Sample(files, read)


def three_column_scp(folder: Path) -> Sample:
    from mertk.data.manifest import load_manifest

    file = write(folder / "train.scp", "".join(f"{name} /wav/{name}.wav {CLASSES[int(name[-1])]}\n" for name in NAMES))
    return Sample([file], lambda: load_manifest(file))


def ledger(folder: Path) -> Sample:
    from mertk.data.ledger import Ledger, read_ledger

    kept = Ledger()
    for name in NAMES:
        kept.add(name, "audio", "no_audio", "there is none")
    kept.write(folder / "excluded.tsv")
    return Sample([folder / "excluded.tsv"], lambda: str(read_ledger(folder / "excluded.tsv")))


def label_map(folder: Path) -> Sample:
    from mertk.data.label_map import load_label_map

    file = write(folder / "map.yaml", "classes: [happy, sad]\nmap:\n  hap: happy\n  exc: happy\n  sad: sad\n")
    return Sample([file], lambda: load_label_map(str(file), folder, ("hap", "exc", "sad")))


def label_table(folder: Path) -> Sample:
    from mertk.data.ledger import Ledger
    from mertk.data_prep.raw_video_labels import read_clips

    rows = "".join(f"v{row},{row},hello there,{row - 2},{row / 5},train\n" for row in range(5))
    file = write(folder / "label.csv", f"video_id,clip_id,text,label,label_A,mode\n{rows}")
    return Sample([file], lambda: read_clips(file, "mosi", Ledger()))


def own_table(folder: Path) -> Sample:
    from mertk.data_prep.own.reading.table import read_own_table

    rows = "".join(f'clips/{name}.wav,happy,s{name[4]},"oh, well",0:0{name[4]},9.5\n' for name in NAMES)
    file = write(folder / "clips.csv", f"file,emotion,speaker,text,start,end\n{rows}")
    return Sample([file], lambda: read_own_table(file))


def kaldi_directory(folder: Path) -> Sample:
    from mertk.data_prep.own.reading.kaldi_lists import read_kaldi

    columns = {"utt2spk": "s1", "utt2label": "happy", "text": "oh well", "segments": "r1 0.5 1.5"}
    files = [
        write(folder / column, "".join(f"{name} {value}\n" for name in NAMES)) for column, value in columns.items()
    ]
    return Sample([write(folder / "wav.scp", "r1 /wav/r1.wav\n"), *files], lambda: read_kaldi(folder))


def emobox_lists(folder: Path) -> Sample:
    from mertk.data_prep.own.reading.emobox_lists import read_emobox

    def line(name: str) -> str:
        return json.dumps({"key": name, "dataset": "mine", "wav": f"wav/{name}.wav", "type": "raw", "emo": "h"}) + "\n"

    files = []
    for fold in (0, 1):
        for part, is_tested in (("train", False), ("test", True)):
            names = [name for row, name in enumerate(NAMES) if (row % 2 == fold) == is_tested]
            path = folder / f"fold_{fold + 1}" / f"mine_{part}_fold_{fold + 1}.jsonl"
            files.append(write(path, "".join(map(line, names))))
    return Sample([*files, write(folder / "label_map.json", {"h": "happy"})], lambda: read_emobox([folder]))


def openface_table(folder: Path) -> Sample:
    from mertk.data_prep.openface_table import FIRST_COLUMNS, NUM_FEATURES, read_table

    head = ", ".join([*FIRST_COLUMNS, *(f"f{number}" for number in range(NUM_FEATURES))])
    rows = [", ".join(map(str, [frame, 0, frame / 25, 0.98, 1, *[0.5] * NUM_FEATURES])) for frame in range(2)]
    file = write(folder / "clip.csv", "\n".join([head, *rows]) + "\n")
    return Sample([file], lambda: read_table(file))


def annotations(folder: Path) -> Sample:
    from mertk.data_prep.iemocap_corpus import read_corpus

    dialog, turns, words = folder / "Session1" / "dialog", "% [START_TIME - END_TIME]\n\n", ""
    for row, name in enumerate(NAMES[:3]):
        turns += f"[{row}.5 - {row}.9]\t{name}\tneu\t[2.5, 2.5, 3.0]\nC-E1:\tNeutral;\t()\n"
        words += f"{name} [000.1-001.2]: Well.\n"
    files = [
        write(dialog / "EmoEvaluation" / "Ses01F_impro01.txt", turns),
        write(dialog / "transcriptions" / "Ses01F_impro01_text.txt", words),
    ]
    return Sample(files, lambda: read_corpus(folder, [1]))


def wav_header(folder: Path) -> Sample:
    import wave

    from mertk.data_prep.wav_header import TruncatedWav, UnreadableWav, read_wav_header

    path = folder / "sound.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1), file.setsampwidth(2), file.setframerate(16000)
        file.writeframes(bytes(100))
    return Sample([path], lambda: read_wav_header(path).seconds, errors=(TruncatedWav, UnreadableWav))
