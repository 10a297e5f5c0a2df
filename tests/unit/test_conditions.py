"""What conditions there are, what they are called, and which are refused."""

import json
import os

import pytest

from mertk.bin.evaluate import main
from mertk.errors import MertkError
from mertk.run.conditions import Condition, Wanted, find_scored, read_condition, read_levels, read_modalities
from mertk.run.files import remove_run, set_scores_aside

ALL = ("audio", "video", "text")


@pytest.mark.parametrize("text", ["", "a", "0:1", "0:1:0", "0:1:0.3", "1:0:0.1", "0,nan", "0:inf:1", "0:1:1e-9"])
def test_what_is_no_row_of_numbers_is_refused(text):
    with pytest.raises(MertkError, match="expected numbers such as"):
        read_levels(text)


def test_a_row_of_tenths_is_one_of_tenths():
    assert read_levels("0:1:0.1") == [0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0]
    assert read_levels("20:-5:-5") == [20.0, 15.0, 10.0, 5.0, 0.0, -5.0]


@pytest.mark.parametrize("text", ["speech", "audio+audio", "", "audio+"])
def test_modalities_that_there_are_not_are_refused(text):
    with pytest.raises(MertkError, match="expected one of audio, video, text"):
        read_modalities(text)


def test_nothing_missing_is_not_scored_again_and_all_missing_is_a_drop_that_is_scored_once():
    wanted = Wanted([("video",)], [(("video",), [0.0, 0.5, 1.0])], snrs=[10.0], num_seeds=2)
    assert [one.folder for one in wanted.conditions()] == [
        "robustness/drop_video",
        "robustness/missing_video_utterances_0.5/seed_1",
        "robustness/missing_video_utterances_0.5/seed_2",
        "robustness/noise_white_10_dB/seed_1",
        "robustness/noise_white_10_dB/seed_2",
    ]


def test_conditions_that_differ_have_folders_that_differ():
    wanted = [
        Wanted([("audio",), ("audio", "video")], [(("audio",), [0.1, 0.10000001])]),
        Wanted(missing=[(("audio",), [0.1])], units="frames"),
        Wanted(missing=[(("audio",), [0.1])], units="blocks", block_frames=5),
        Wanted(missing=[(("audio",), [0.1])], units="blocks", block_frames=6),
        Wanted(missing=[(("audio", "text"), [0.1])], snrs=[-5.0, 5.0, 0.5]),
    ]
    found = [one for each in wanted for one in each.conditions()]
    assert len({one.folder for one in found}) == len(found) == 11


@pytest.mark.parametrize(
    ("wanted", "modalities", "message"),
    [
        (Wanted([("video",)]), ["audio", "text"], "takes audio and text, no video"),
        (Wanted(snrs=[10.0]), ["video", "text"], "takes video and text, no audio"),
        (Wanted([("audio", "text")]), ["audio", "text"], "without audio and text nothing is left"),
        (Wanted(missing=[(("audio",), [0.5, 1.0])], units="frames"), ["audio"], "without audio nothing is left"),
        (Wanted(missing=[(("audio",), [0.5])]), ["audio"], r"nothing would be left of some.*--missing_units"),
    ],
)
def test_a_model_is_left_something_and_loses_what_it_has(tmp_path, wanted, modalities, message):
    with pytest.raises(MertkError, match=message):
        wanted.check(modalities, tmp_path)
    Wanted(missing=[(("audio",), [0.5])], units="frames", snrs=[0.0]).check(["audio"], tmp_path)
    Wanted([("audio", "video")], [(ALL[:1], [1.0])]).check(ALL, tmp_path)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"missing": [(("audio",), [1.2])]}, "missing audio: got 1.2, expected shares from 0 to 1"),
        ({"snrs": [300.0]}, "noise_snr: got 300.0, expected decibels from -100 to 100"),
        ({"units": "words"}, "units: got words, expected one of utterances, frames, blocks"),
        ({"drops": [("audio",)], "num_seeds": 0}, "seeds: got 0"),
        ({"noise_folder": "rooms"}, "noise_folder is given without noise_snr"),
    ],
)
def test_values_that_mean_nothing_are_refused(options, message):
    with pytest.raises(MertkError, match=message):
        Wanted(**options)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--drop speech", "argument --drop: got 'speech', expected one of audio, video, text"),
        ("--missing audio", "argument --missing: got 'audio', expected MODALITY=RATES"),
        ("--missing audio=0:1", "argument --missing: got '0:1', expected numbers such as"),
        ("--noise_snr loud", "argument --noise_snr: got 'loud'"),
        ("--drop audio --seeds 5", "--seeds means nothing without --missing or --noise_snr"),
        ("--noise_folder .", "--noise_folder means nothing without --noise_snr"),
        ("--missing audio=0.5 --block_frames 3", "--block_frames means nothing without --missing_units blocks"),
        ("--drop audio --part validation", "--part validation: what a model copes with is found on the test part"),
    ],
)
def test_a_command_line_that_means_nothing_is_wrong_usage(words, message, capsys):
    with pytest.raises(SystemExit) as stopped:
        main(["exp", *words.split()])
    assert stopped.value.code == 2 and message in capsys.readouterr().err


def test_the_help_tells_of_it(capsys):
    with pytest.raises(SystemExit):
        main(["--help"])
    told = capsys.readouterr().out
    assert all(option in told for option in ("--drop", "--missing", "--noise_snr", "--noise_folder", "--seeds"))


def write_scores(run, condition, folder=None):
    place = run / (folder or condition.folder)
    place.mkdir(parents=True)
    (place / "predictions.tsv").write_text("utterance\ttruth\tprediction\n")
    (place / "results.json").write_text(json.dumps({"condition": condition.as_dict()}))
    return place / "results.json"


def test_conditions_are_found_again_as_they_were(tmp_path):
    wanted = Wanted([("audio",)], [(ALL[:2], [0.25])], "blocks", 4, [10.0], num_seeds=2).conditions("room-0a")
    files = [write_scores(tmp_path, one) for one in wanted]
    assert find_scored(tmp_path) == {one: file.parent for one, file in zip(wanted, files, strict=True)}
    files[1].with_name("predictions.tsv").unlink()
    assert set(find_scored(tmp_path)) == {*wanted} - {wanted[1]}


def test_scores_in_a_folder_of_another_condition_are_refused(tmp_path):
    file = write_scores(tmp_path, Condition("drop", ("audio",)), "robustness/drop_video")
    with pytest.raises(MertkError, match=r"drop_video/results\.json: its condition is .*not that of its folder"):
        read_condition(file)
    file.write_text("{}")
    with pytest.raises(MertkError, match="condition"):
        find_scored(tmp_path)


def test_a_run_that_is_trained_on_hides_its_scores_and_one_that_is_deleted_takes_them_along(tmp_path):
    condition = Condition("missing", ("audio",), 0.5, "frames", seed=1)
    write_scores(tmp_path, condition)
    assert tmp_path / ".robustness.replaced" in set_scores_aside(tmp_path)
    assert find_scored(tmp_path) == {}
    file = write_scores(tmp_path, condition)
    own = tmp_path / "robustness" / "own" / "results.json"
    own.parent.mkdir()
    own.write_text("{}")
    remove_run(tmp_path)
    assert not file.exists() and [one.name for one in (tmp_path / "robustness").iterdir()] == ["own"] and own.exists()


def test_scores_of_an_earlier_model_count_for_nothing(tmp_path):
    file = write_scores(tmp_path, Condition("drop", ("audio",)))
    (tmp_path / "best").mkdir()
    (tmp_path / "best" / "model.json").write_text("{}")
    os.utime(file, (1, 1))
    assert find_scored(tmp_path) == {}


def test_no_rate_at_all_is_nothing(tmp_path):
    Wanted(missing=[(("audio",), [])]).check(["audio"], tmp_path)
    assert Wanted(missing=[(("audio",), [])]).conditions() == []
