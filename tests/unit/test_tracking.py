"""Where the trackers of Accelerate put a run."""

import io
import logging
import re

import pytest
from accelerate import Accelerator
from accelerate.tracking import LOGGER_TYPE_TO_CLASS, GeneralTracker
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.custom_scalar.layout_pb2 import Layout
from tensorboard.summary.writer import event_file_writer

from mertk.config import as_dict, load_config
from mertk.training.epoch_line import LEGEND
from mertk.training.progress import Progress
from mertk.training.trackers import trackers_of_accelerate
from mertk.training.tracking import Tracking, log_lines

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


def track(run_dir, trackers, step, loss, settings=()):
    accelerator = Accelerator(cpu=True, project_dir=run_dir)
    accelerator.log_with = trackers_of_accelerate(trackers)
    config = load_config([], [*RUN, f"training.trackers=[{','.join(trackers)}]"])
    config.run.settings = list(settings)
    tracking = Tracking(accelerator, run_dir, as_dict(config), 10)
    tracking.start(Progress(step=step, epoch=step))
    tracking.report_step(step + 1, step + 1, {"loss": loss})
    tracking.close()


def test_a_shared_tracker_gets_project_and_run_by_name(tmp_path, stand_in):
    track(tmp_path, ["tensorboard", "wandb"], step=0, loss=0.5)
    (tracker,) = stand_in.made
    assert tracker.project == "mertk"
    assert tracker.options == {"name": "iemocap/foal paper full session-clean fold_3 seed_1234"}
    assert tracker.settings["run.fold"] == 3
    assert tracker.figures[1]["train/loss/total"] == 0.5
    assert list(tmp_path.iterdir()) == [tmp_path / "tensorboard"]
    (events,) = (tmp_path / "tensorboard").rglob("*")
    assert events.name.startswith("events."), "TensorBoard shows every folder with events as a run of its own"


def test_tensorboard_has_the_settings_of_the_run(tmp_path):
    track(tmp_path, ["tensorboard"], step=0, loss=0.5)
    accumulator = EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    told = accumulator.SummaryMetadata("_hparams_/session_start_info").plugin_data.content
    assert b"run.fold" in told and b"training.seed" in told
    metrics = accumulator.SummaryMetadata("_hparams_/experiment").plugin_data.content
    assert b"validation/ua" in metrics


def test_runs_that_differ_in_settings_alone_have_names_of_their_own(tmp_path, stand_in):
    for settings in (["training.epochs=3"], ["optimizer.groups=" + "x" * 200], ["optimizer.groups=" + "y" * 200]):
        track(tmp_path, ["wandb"], step=0, loss=0.5, settings=settings)
    names = [tracker.options["name"] for tracker in stand_in.made]
    assert names[0] == "iemocap/foal paper full session-clean fold_3 seed_1234 training.epochs=3"
    assert len(set(names)) == 3 and max(map(len, names)) == 128


def test_tensorboard_forgets_the_steps_that_were_lost(tmp_path, monkeypatch):
    # Files of one second and process are read in the order of their numbers as text: 10 would come before 9.
    monkeypatch.setattr(event_file_writer, "_global_uid", event_file_writer.AtomicCounter(0))
    for step, loss in ((0, 0.5), (1, 0.4), (2, 0.3), (1, 0.2)):
        track(tmp_path, ["tensorboard"], step, loss)
    assert steps_of(tmp_path, "train/loss/total") == pytest.approx({1: 0.5, 2: 0.2})
    track(tmp_path, ["tensorboard"], 0, 0.1)  # killed before its first checkpoint
    assert steps_of(tmp_path, "train/loss/total") == pytest.approx({1: 0.1})


def steps_of(run_dir, tag):
    events = EventAccumulator(str(run_dir / "tensorboard")).Reload().Scalars(tag)
    assert len({event.step for event in events}) == len(events), "a step is told once"
    return {event.step: event.value for event in events}


RECORD = {
    "epoch": 0,
    "step": 3,
    "best": True,
    "train": {"loss": 2.5, "ce_loss": 1.5, "avel_loss": 1.0, "matching_accuracy": 0.5},
    "validation": {"ua": 0.4512, "wa": 0.44, "loss": 2.25, "ce_loss": 1.25, "avel_loss": 1.0},
}


def test_an_epoch_is_one_line_led_by_the_monitored_figure(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("mertk.training.tracking.columns", lambda: 100)
    settings = as_dict(load_config([], [*RUN, "training.trackers=[]"]))
    with log_lines(True, tmp_path / "train.log", whole_process=True):
        tracking = Tracking(Accelerator(cpu=True), tmp_path, settings, 10)
        tracking.start(Progress())
        tracking.report_step(2, 0, {"loss": 2.5})
        tracking.report_epoch(RECORD)
        tracking.report_end(Progress(best=0.4512, best_epoch=0, seconds=75, stopped="early"))
    legend, epoch, end = capsys.readouterr().err.splitlines()
    assert re.match(r"epoch   0  UA  45.12 % \*  0.0 s  loss 2.250 \(2.500\)  ce 1.250 \(1.500\)  avel", epoch)
    assert len(epoch) <= 100 and legend == LEGEND
    assert end == "best epoch 0, UA 45.12 %, since when none was better; trained for 1 min 15 s"
    told = (tmp_path / "train.log").read_text()
    assert "INFO epoch 0 step 2 loss 2.5" in told and "INFO epoch 0 (step 3): ua 0.4512 wa 0.4400" in told


def test_train_and_validation_terms_are_told_once_and_share_a_chart(tmp_path, monkeypatch):
    # Its files of one second are read in the order of their names, of which 10 comes before 9.
    monkeypatch.setattr(event_file_writer, "_global_uid", event_file_writer.AtomicCounter(0))
    accelerator = Accelerator(cpu=True, project_dir=tmp_path)
    accelerator.log_with = ["tensorboard"]
    settings = as_dict(load_config([], RUN)) | {"loss_weights": {"ce": 1.0, "avel": 1.0, "mem": None}}
    for step in (0, 3):  # resumed behind its first epoch
        tracking = Tracking(accelerator, tmp_path, settings, 10)
        tracking.start(Progress(epoch=step // 3, step=step))
        tracking.report_step(step + 2, step // 3, {"loss": 2.5, "ce_loss": 1.5, "learning_rate": 0.1})
        tracking.report_epoch(RECORD | {"step": step + 3, "epoch": step // 3})
        tracking.close()
        accelerator.log_with, accelerator.trackers = ["tensorboard"], []
    read = EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    assert {tag: [event.step for event in read.Scalars(tag)] for tag in read.Tags()["scalars"]} == {
        **dict.fromkeys(("train/loss/total", "train/loss/ce"), [2, 5]),
        **dict.fromkeys(("train/learning_rate", "train/utterances_per_second"), [2, 5]),
        **dict.fromkeys((f"validation/{name}" for name in ("ua", "wa", "loss/total", "loss/ce", "loss/avel")), [3, 6]),
    }
    (layout,) = read.Tensors("custom_scalars__config__")
    told = Layout.FromString(layout.tensor_proto.string_val[0])
    charts = {chart.title: list(chart.multiline.tag) for chart in told.category[0].chart}
    assert charts["ce"] == ["^train/loss/ce$", "^validation/loss/ce$"] and set(charts) == {"total", "ce", "avel"}


def test_no_tracker_is_made_that_was_not_asked_for(tmp_path, stand_in):
    track(tmp_path, ["wandb"], step=0, loss=0.5)
    assert len(stand_in.made) == 1
    assert list(tmp_path.iterdir()) == []


class Plain(StandIn):
    name = "plain"


class Written(Plain):
    requires_logging_directory = True

    def __init__(self, project, directory):
        super().__init__(project, directory=directory)


def test_a_class_of_ones_own_gets_the_name_of_the_run_and_where_it_asks_its_directory(tmp_path, monkeypatch):
    monkeypatch.setattr(StandIn, "made", [])
    track(tmp_path, [f"{__name__}.Plain"], step=0, loss=0.5)
    (plain,) = StandIn.made
    assert plain.project == "iemocap/foal paper full session-clean fold_3 seed_1234"
    assert plain.settings["run.fold"] == 3 and plain.figures[1]["train/loss/total"] == 0.5
    track(tmp_path, [f"{__name__}.Written", "tensorboard"], step=0, loss=0.5)
    assert StandIn.made[1].options == {"directory": str(tmp_path)}
    assert (tmp_path / "tensorboard").is_dir()


def test_a_program_has_the_log_of_its_process_to_itself_while_it_works(tmp_path, capsys):
    root = logging.getLogger()
    before = root.handlers[:], root.level, logging.raiseExceptions
    with log_lines(True, tmp_path / "run/train.log", whole_process=True):
        logging.getLogger("mertk.train").info("one")
        logging.getLogger("somebody.else").warning("two")
        logging.getLogger("httpx").info("three")
    assert (root.handlers, root.level, logging.raiseExceptions) == before
    with log_lines(False, tmp_path / "run/train.log", whole_process=True):
        logging.getLogger("mertk.train").warning("four")
    lines = (tmp_path / "run/train.log").read_text().splitlines()
    assert [line.split(" ", 2)[2] for line in lines] == ["INFO one", "WARNING two"]
    assert capsys.readouterr().err.splitlines() == ["one", "warning: two"]


def test_in_a_notebook_our_lines_alone_are_shown_unless_their_place_is_chosen(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    own, foreign = logging.getLogger("mertk.train"), logging.getLogger("somebody.else")
    with log_lines(True, tmp_path / "train.log"):
        own.info("one")
        foreign.info("two")
    assert capsys.readouterr().err == "one\n" and logging.getLogger("mertk").handlers == []
    chosen = logging.StreamHandler(io.StringIO())
    logging.getLogger().addHandler(chosen)
    with log_lines(True, tmp_path / "train.log"):
        own.info("three")
    assert chosen.stream.getvalue() == "three\n" and capsys.readouterr().err == ""
    assert (tmp_path / "train.log").read_text().count("INFO") == 2
