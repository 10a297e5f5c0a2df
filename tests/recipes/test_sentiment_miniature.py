"""The recipes on text, audio and video, really launched on a miniature feature file: one of each method, shortened."""

import json

import pytest

from tests.programs import call

pytestmark = [pytest.mark.recipe, pytest.mark.slow, pytest.mark.usefixtures("warm")]

RECIPES = {"mosi/tam_ulag": 8, "sims/hscl": 5}


@pytest.fixture(scope="module", params=list(RECIPES))
def finished(request, checkout, tmp_path_factory):
    """A recipe that went from nothing to its table: how to call it again, its folder, and what it printed."""
    folder = tmp_path_factory.mktemp("recipe")
    script = checkout / "recipes" / request.param / "run.sh"

    def run(*arguments, exp=folder / "exp"):
        settings = (f"training.epochs={RECIPES[request.param]}", "data.num_workers=0")
        places = ("--data", str(folder / "data"), "--exp", str(exp))
        return call("bash", str(script), *places, "--num_processes", "1", *arguments, *settings, checkout=checkout)

    return run, folder, run()


def test_the_recipe_goes_from_nothing_to_a_table(finished):
    _, folder, printed = finished
    results = json.loads((folder / "exp/results.json").read_text())
    assert results["mean"]["corr"] > 0.45  # the epochs are few
    assert results["mean"]["mae"] < 2
    assert results["seeds"] == [1111] and results["miniature"] is True
    assert "Corr" in printed and "MINIATURE" in printed
    assert (folder / "exp/scatter.png").stat().st_size > 5000


def test_every_test_utterance_is_scored_once(finished):
    _, folder, _ = finished
    lines = (folder / "exp/official-clean/fold_1/seed_1111/predictions.tsv").read_text().splitlines()[1:]
    expected = (folder / "data/folds/official-clean/1/test.ids").read_text().split()
    assert sorted(line.split("\t")[0] for line in lines) == expected


def test_a_second_call_does_nothing_again(finished):
    run, folder, _ = finished
    trained = folder / "exp/official-clean/fold_1/seed_1111/trained.json"
    before = trained.stat().st_mtime_ns
    printed = run()
    for stage in ("0 corpus", "1 import", "3 train", "4 evaluate"):
        assert f"stage {stage}: done before" in printed
    assert trained.stat().st_mtime_ns == before


@pytest.mark.parametrize("finished", ["mosi/tam_ulag"], indirect=True)
def test_a_refit_takes_its_steps_from_the_clean_run(finished):
    run, folder, _ = finished
    run("--protocol", "clean-refit", "--stage", "3")
    clean, refit = (
        json.loads((folder / f"exp/official-{protocol}/fold_1/seed_1111/trained.json").read_text())
        for protocol in ("clean", "clean-refit")
    )
    assert refit["step"] == clean["best_step"]


@pytest.mark.parametrize("finished", ["mosi/tam_ulag"], indirect=True)
def test_another_seed_joins_the_table(finished):
    run, folder, _ = finished
    run("--seeds", "1111 1112", "--stage", "3")
    assert json.loads((folder / "exp/results.json").read_text())["seeds"] == [1111, 1112]


def report(checkout, folder, code=0):
    run = folder / "exp/official-clean/fold_1/seed_1111"
    command = ("python3", "-m", "mertk.bin.plot", str(run), "--out", str(folder / "pictures"))
    return call(*command, checkout=checkout, code=code)


@pytest.mark.parametrize("finished", ["sims/hscl"], indirect=True)
def test_decoupling_is_drawn(finished, checkout):
    report(checkout, finished[1])
    assert {path.name for path in (finished[1] / "pictures").glob("*.png")} == {"pca_before.png", "pca_after.png"}


@pytest.mark.parametrize("finished", ["mosi/tam_ulag"], indirect=True)
def test_a_model_without_representations_has_no_pictures(finished, checkout):
    assert "TamUlag has no representations to show" in report(checkout, finished[1], code=1)
