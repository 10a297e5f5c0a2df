"""Where the trackers of Accelerate put a run."""

from types import SimpleNamespace

import pytest
from accelerate import Accelerator
from accelerate.tracking import LOGGER_TYPE_TO_CLASS, GeneralTracker
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from mertk.config import as_dict, load_config
from mertk.training.tracking import Tracking

RUN = ["run.recipe=iemocap/foal", "run.cv=session", "run.protocol=clean", "run.fold=3"]


class StandIn(GeneralTracker):
    """A tracker that keeps what it is given, in place of one that needs an account."""

    name = "wandb"
    requires_logging_directory = False
    made = []

    def __init__(self, project, **options):
        super().__init__()
        self.project, self.options, self.figures = project, options, {}
        self.made.append(self)

    @property
    def tracker(self):
        return self

    def store_init_configuration(self, values):
        self.settings = values

    def log(self, values, step=None, **options):
        self.figures[step] = values


@pytest.fixture
def stand_in(monkeypatch):
    monkeypatch.setitem(LOGGER_TYPE_TO_CLASS, "wandb", StandIn)
    monkeypatch.setattr(StandIn, "made", [])
    return StandIn


def track(run_dir, trackers, step, loss):
    accelerator = Accelerator(cpu=True, project_dir=run_dir)
    accelerator.log_with = trackers
    tracking = Tracking(accelerator, run_dir, as_dict(load_config([], RUN)), 10)
    tracking.start(SimpleNamespace(step=step, epoch=step))
    tracking.report_step(step + 1, step + 1, {"loss": loss})
    tracking.close()


def test_a_shared_tracker_gets_project_and_run_by_name(tmp_path, stand_in):
    track(tmp_path, ["tensorboard", "wandb"], step=0, loss=0.5)
    (tracker,) = stand_in.made
    assert tracker.project == "mertk"
    assert tracker.options == {"name": "iemocap/foal paper full session-clean fold_3 seed_1234"}
    assert tracker.settings["run.fold"] == 3
    assert tracker.figures[1]["train/loss"] == 0.5
    assert list(tmp_path.iterdir()) == [tmp_path / "tensorboard"]
    assert len(list((tmp_path / "tensorboard").glob("events.*"))) == 1


def test_tensorboard_forgets_the_steps_that_were_lost(tmp_path):
    for step, loss in ((0, 0.5), (1, 0.4), (2, 0.3), (1, 0.2)):
        track(tmp_path, ["tensorboard"], step, loss)
    events = EventAccumulator(str(tmp_path / "tensorboard")).Reload().Scalars("train/loss")
    assert {event.step: event.value for event in events} == pytest.approx({1: 0.5, 2: 0.2})


def test_no_tracker_is_made_that_was_not_asked_for(tmp_path, stand_in):
    track(tmp_path, ["wandb"], step=0, loss=0.5)
    assert len(stand_in.made) == 1
    assert list(tmp_path.iterdir()) == []
