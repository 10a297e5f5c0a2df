"""Foal-Net on RAVDESS, really launched on a few short takes: from their files to a trained fold of published groups."""

import json

import pytest

from tests.acted_clips import write_video
from tests.programs import call

pytestmark = [pytest.mark.recipe, pytest.mark.slow, pytest.mark.usefixtures("warm")]

#: two actors of each of EmoBox's folds
ACTORS = ("01", "11", "04", "10", "08", "09", "03", "05", "02", "15", "06", "13")


def test_a_fold_of_published_groups_is_trained_on_sound_and_picture(checkout, tmp_path):
    for actor in ACTORS:
        for emotion in range(1, 9):
            name = f"01-01-{emotion:02d}-01-01-01-{actor}.mp4"
            write_video(tmp_path / "corpus" / f"Video_Speech_Actor_{actor}" / f"Actor_{actor}" / name, has_sound=True)
    (tmp_path / "corpus" / "MINIATURE.json").write_text("{}")
    printed = call(
        *(
            "bash",
            checkout / "recipes/ravdess/foal/run.sh",
            "--corpus",
            tmp_path / "corpus",
            "--data",
            tmp_path / "data",
        ),
        *("--exp", tmp_path / "exp", "--variant", "small", "--cv", "emobox", "--folds", "2", "--num_processes", "1"),
        *("--stage", "1", "--stop_stage", "3", "training.epochs=1"),
        checkout=checkout,
    )
    assert "96 takes seen, 96 taken, 0 left out" in printed
    run = tmp_path / "exp" / "emobox-clean" / "fold_2" / "seed_1234"
    assert json.loads((run / "best" / "model.json").read_text())["miniature"] is True
    assert "parts are apart by utterance, speaker, audio file" in printed
