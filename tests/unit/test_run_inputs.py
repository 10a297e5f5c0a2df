"""What makes a run another one: content, wherever it lies."""

import hashlib
import json
import os
import shutil

import pytest
import yaml

from mertk.config import decisive, load_config, save_config
from mertk.errors import MertkError
from mertk.run import marks
from mertk.run.cross_validation import CrossValidation
from mertk.run.dependencies import find_absent, find_changes, run_dependencies
from mertk.run.directory import claim
from mertk.run.marks import fingerprint, read_mark, write_mark
from mertk.run.plan import Run, run_settings
from tests.small_run import SETTINGS, write_data

RUN = Run("session", "clean", 1, 7)


@pytest.fixture
def checkout(tmp_path):
    """A checkout with a data directory, recordings and weights in it."""
    root = tmp_path / "checkout"
    write_data(root / "data", count=12)
    (root / "corpus").mkdir()
    lines = []
    for number in range(12):
        path = root / "corpus" / f"u{number:03d}.wav"
        path.write_bytes(bytes([number]) * 9000)
        lines.append(f"u{number:03d} {path}\n")
    (root / "data" / "wav.scp").write_text("".join(lines))
    (root / "weights").mkdir()
    (root / "weights" / "model.safetensors").write_bytes(b"w" * 100)
    return root


def settings_of(root, *settings):
    sound = "data.inputs.audio.kind=waveform"
    return [*SETTINGS, sound, f"model.audio_encoder={{weights: {root / 'weights'}}}", *settings]


def configure(root, *settings):
    return load_config([], [*settings_of(root, *settings), *run_settings(RUN, root / "data", root / "exp")])


def earlier_mark(root, *settings):
    """depends_on.json as it was when inputs were named by their paths."""
    config, data = configure(root, *settings), root / "data"
    paths = [data / f"folds/session-clean/1/{part}.ids" for part in ("train", "validation", "test")]
    paths += [data / name for name in ("utt2label", "wav.scp", "classes.txt")]
    paths += [data / "features/video" / name for name in ("record.json", "features.scp")]
    return {"options": decisive(config), "inputs": {str(p): fingerprint(p) for p in [*paths, root / "weights"]}}


def move(root, *, recordings=False):
    """Rename the checkout; `recordings`: also make the list of recordings anew, as stage 1 does."""
    moved = root.with_name("renamed")
    root.rename(moved)
    if recordings:
        text = (moved / "data" / "wav.scp").read_text()
        (moved / "data" / "wav.scp").write_text(text.replace(str(root), str(moved)))
    return moved


@pytest.mark.parametrize("make", [lambda root: run_dependencies(configure(root)), earlier_mark], ids=["now", "earlier"])
@pytest.mark.parametrize("recordings", [False, True])
def test_a_renamed_checkout_holds_the_same_runs(checkout, make, recordings):
    before = json.loads(json.dumps(make(checkout)))
    assert find_changes(before, configure(checkout)) == {}
    moved = move(checkout, recordings=recordings)
    assert find_changes(before, configure(moved)) == {}


def test_copies_whose_times_differ_are_the_same(checkout, tmp_path):
    before = run_dependencies(configure(checkout))
    shutil.copytree(checkout, tmp_path / "copy", copy_function=shutil.copyfile)
    assert find_changes(before, configure(tmp_path / "copy")) == {}
    link = tmp_path / "link"
    link.symlink_to(checkout)
    assert find_changes(before, configure(link)) == {}
    assert (
        find_changes(before, configure(checkout, f"data.inputs.video.directory={link / 'data/features/video'}")) == {}
    )


@pytest.mark.parametrize(
    ("name", "role"),
    [
        ("data/utt2label", "labels"),
        ("data/classes.txt", "classes"),
        ("data/folds/session-clean/1/test.ids", "data.test"),
        ("data/features/video/features.scp", "features.video.index"),
        ("data/features/video/record.json", "features.video.record"),
        ("weights/model.safetensors", "model.audio_encoder.weights"),
        ("data/wav.scp", "recordings"),
    ],
)
@pytest.mark.parametrize("make", [lambda root: run_dependencies(configure(root)), earlier_mark], ids=["now", "earlier"])
def test_other_content_is_another_run_wherever_it_lies(checkout, make, name, role):
    before = make(checkout)
    moved = move(checkout)
    path = moved / name
    path.write_bytes(path.read_bytes().replace(b"u000", b"u999").replace(b"w", b"v").replace(b"a", b"e"))
    os.utime(path, (1, 1))
    assert list(find_changes(before, configure(moved))) == [f"inputs.{role}"]


def test_recordings_of_another_folder_are_other_recordings_if_they_differ(checkout):
    before = run_dependencies(configure(checkout))
    shutil.copytree(checkout / "corpus", checkout / "denoised")
    scp = checkout / "data" / "wav.scp"
    scp.write_text(scp.read_text().replace("/corpus/", "/denoised/"))
    assert find_changes(before, configure(checkout)) == {}
    (checkout / "denoised" / "u003.wav").write_bytes(b"x" * 9000)
    assert list(find_changes(before, configure(checkout))) == ["inputs.recordings"]


def test_three_columns_are_known_again_with_their_recordings(checkout):
    fold = checkout / "data" / "folds" / "session-clean" / "1"
    for part in ("train", "validation", "test"):
        ids = (fold / f"{part}.ids").read_text().split()
        (fold / f"{part}.scp").write_text("".join(f"{u} {checkout}/corpus/{u}.wav sad\n" for u in ids))
    before = run_dependencies(configure(checkout))
    moved = checkout.with_name("renamed")
    checkout.rename(moved)
    for file in (moved / "data" / "folds").rglob("*.scp"):
        file.write_text(file.read_text().replace(str(checkout), str(moved)))
    assert find_changes(before, configure(moved)) == {}
    (moved / "corpus" / "u000.wav").write_bytes(b"y" * 9000)
    file = moved / "data/folds/session-clean/1/test.scp"
    file.write_text(file.read_text().replace("/corpus/", "/./corpus/"))
    assert list(find_changes(before, configure(moved))) == ["inputs.data.test"]


def test_settings_that_came_with_a_later_version_change_nothing_by_their_defaults(checkout):
    before = earlier_mark(checkout)
    del before["options"]["training"]["compile"]
    assert find_changes(before, configure(checkout)) == {}
    assert find_changes(before, configure(checkout, "training.compile=true")) == {
        "options.training.compile": "False -> True"
    }


#: what this version has beside those before
NEWER = {
    "optimizer": ("component", "arguments"),
    "schedule": ("component", "arguments"),
    "sampler": ("component", "arguments"),
}


def test_a_run_of_before_there_were_classes_and_augmentation_is_still_the_same(checkout):
    directory = RUN.directory(checkout / "exp")
    config, before = configure(checkout), earlier_mark(checkout)
    save_config(config, directory / "config.yaml")
    saved = yaml.safe_load((directory / "config.yaml").read_text())
    for settings in (before["options"], saved):
        for section, names in NEWER.items():
            for name in names:
                del settings[section][name]
        for given in settings["data"]["inputs"].values():
            del given["augmentation"], given["dropout"]
    (directory / "config.yaml").write_text(yaml.safe_dump(saved))
    (directory / "trained.json").write_text("{}")
    write_mark(directory / "depends_on.json", before)
    assert experiment(checkout).is_finished(RUN)
    assert find_changes(read_mark(directory / "depends_on.json"), config) == {}
    assert list(find_changes(before, configure(checkout, "data.inputs.video.dropout=0.5"))) == [
        "options.data.inputs.video.dropout"
    ]


def test_noise_is_known_by_its_content(checkout):
    (checkout / "noise").mkdir()
    (checkout / "noise" / "a.wav").write_bytes(b"noise" * 100)
    noise = "data.inputs.audio.augmentation=[{component: mertk.data.augmentation.Noise, folder: %s}]"
    before = run_dependencies(configure(checkout, noise % (checkout / "noise")))
    moved = move(checkout)
    asked = configure(moved, noise % (moved / "noise"))
    assert find_changes(before, asked) == {}
    (moved / "noise" / "a.wav").write_bytes(b"other" * 100)
    assert list(find_changes(before, asked)) == ["inputs.data.inputs.audio.augmentation.0.folder"]
    assert find_absent(before, configure(checkout, noise % (checkout / "noise")))


def test_what_was_not_touched_is_not_read_again(checkout, monkeypatch):
    monkeypatch.setattr(marks, "CONTENT_BYTES", 10)
    before = run_dependencies(configure(checkout))

    def fail(*_):
        raise AssertionError("read although size and time are as they were")

    monkeypatch.setattr("mertk.run.input_content.digest_of_input", fail)
    assert find_changes(before, configure(checkout)) == {}
    assert run_dependencies(configure(checkout), before) == before


def test_what_is_out_of_reach_is_named_under_its_new_name(checkout):
    before = run_dependencies(configure(checkout))
    moved = move(checkout)
    (moved / "weights").rename(moved / "elsewhere")
    assert find_absent(before, configure(moved)) == [moved / "weights"]
    assert find_absent(before, configure(moved, "model.audio_encoder.weights=owner/model")) == []
    assert find_absent(before, configure(checkout))


def experiment(checkout):
    return CrossValidation((), checkout / "data", checkout / "exp", num_processes=1, settings=settings_of(checkout))


@pytest.mark.parametrize("earlier", [False, True])
def test_a_finished_run_is_found_in_a_renamed_checkout_and_told_where_its_data_are(checkout, earlier, monkeypatch):
    directory = RUN.directory(checkout / "exp")
    config = configure(checkout)
    save_config(config, directory / "config.yaml")
    (directory / "trained.json").write_text("{}")
    write_mark(directory / "depends_on.json", earlier_mark(checkout) if earlier else run_dependencies(config))
    moved = move(checkout)
    monkeypatch.setattr("mertk.run.cross_validation.run_child", None)
    assert experiment(moved).train_run(RUN) == 0
    directory = RUN.directory(moved / "exp")
    saved = load_config([directory / "config.yaml"])
    assert saved.data.test == str(moved / "data/folds/session-clean/1/test.ids")
    assert saved.run.output_dir == str(directory)
    # Its mark is one of this version now, and knows the run at a third place.
    again = moved.rename(checkout)
    os.utime(again / "weights", (1, 1))
    assert experiment(again).is_finished(RUN)
    assert "labels" in read_mark(RUN.directory(again / "exp") / "depends_on.json")["inputs"]


def test_an_interrupted_run_goes_on_in_a_renamed_checkout(checkout):
    directory = RUN.directory(checkout / "exp")
    config = configure(checkout)
    save_config(config, directory / "config.yaml")
    (directory / "checkpoints").mkdir()
    write_mark(directory / "depends_on.json", run_dependencies(config))
    moved = move(checkout, recordings=True)
    directory = RUN.directory(moved / "exp")
    assert claim(directory, configure(moved), resume=True, overwrite=False, force=False) == ""
    (moved / "data" / "utt2label").write_text("u000 sad\n")
    with pytest.raises(MertkError, match="inputs.labels: .*utt2label -> .*utt2label"):
        claim(directory, configure(moved), resume=True, overwrite=False, force=False)


def test_lists_are_compared_where_earlier_versions_left_no_mark(checkout, tmp_path):
    save_config(configure(checkout), tmp_path / "run" / "config.yaml")
    (tmp_path / "run" / "checkpoints").mkdir()
    copy = shutil.copy(checkout / "data/folds/session-clean/1/train.ids", tmp_path / "train.ids")
    same = configure(checkout, f"data.train={copy}")
    same.data.train = str(copy)
    assert claim(tmp_path / "run", same, resume=True, overwrite=False, force=False) == ""
    (tmp_path / "train.ids").write_text("u000\n")
    with pytest.raises(MertkError, match=r"inputs.data.train: .* -> .*train.ids"):
        claim(tmp_path / "run", same, resume=True, overwrite=False, force=False)


def test_marks_of_large_files_are_those_of_before(tmp_path):
    (tmp_path / "file").write_bytes(b"abc")
    assert fingerprint(tmp_path / "file") == hashlib.sha256(b"abc").hexdigest()


def test_features_made_by_another_number_of_processes_are_the_same(checkout):
    before = run_dependencies(configure(checkout))
    folder = checkout / "data" / "features" / "video"
    for file in folder.glob("part-*"):
        file.rename(folder / file.name.replace("00001", "00004"))
    index = folder / "features.scp"
    index.write_text(index.read_text().replace("of-00001", "of-00004"))
    assert find_changes(before, configure(checkout)) == {}
    parts = folder / "part-00000-of-00004.index"
    parts.write_text(parts.read_text().replace(" -", " another"))
    index.write_text(index.read_text() + "\n")
    assert list(find_changes(before, configure(checkout))) == ["inputs.features.video.index"]


@pytest.mark.parametrize("make", [lambda root: run_dependencies(configure(root)), earlier_mark], ids=["now", "earlier"])
def test_a_record_of_features_that_this_version_wrote_anew_is_the_same(checkout, make):
    path = checkout / "data/features/video/record.json"
    record = json.loads(path.read_text())
    first = {name: value for name, value in record.items() if name != "warnings"} | {"format": 1}
    path.write_text(json.dumps(first, indent=2, sort_keys=True) + "\n")
    before = make(checkout)
    path.write_text(json.dumps(first | {"format": 2, "warnings": []}, indent=2, sort_keys=True) + "\n")
    assert find_changes(before, configure(checkout)) == {}
    path.write_text(json.dumps(first | {"format": 2, "dim": 99}, indent=2, sort_keys=True) + "\n")
    assert list(find_changes(before, configure(checkout))) == ["inputs.features.video.record"]
