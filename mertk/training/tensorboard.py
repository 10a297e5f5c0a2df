"""TensorBoard with one entry a run, whose settings and charts are told once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from accelerate.tracking import TensorBoardTracker, on_main_process

from mertk.training.tracked_names import chart_layout, tracked_name

_WEIGHTS = "loss_weights."


class TensorBoard(TensorBoardTracker):
    """Accelerate's, but that the settings are written beside the figures, and once.

    `add_hparams` of torch opens a folder for them below the run's, which TensorBoard shows as another run, and
    Accelerate one more for a YAML file.
    """

    @on_main_process
    def start(self) -> None:
        self._goes_on = any((Path(self.logging_dir_param) / self.run_name).glob("events.*"))
        super().start()

    @on_main_process
    def store_init_configuration(self, values: dict[str, Any]) -> None:
        if self._goes_on:
            return
        from torch.utils.tensorboard.summary import custom_scalars, hparams

        monitored = tracked_name("validation", values["training.monitor"])
        terms = [name.removeprefix(_WEIGHTS) for name, weight in values.items() if _is_weight(name, weight)]
        for summary in (*hparams(values, {monitored: 0.0}), custom_scalars(chart_layout(terms))):
            self.writer.file_writer.add_summary(summary)
        self.writer.flush()


def _is_weight(name: str, weight: Any) -> bool:
    """Whether a setting is the weight of a loss term that is not switched off."""
    return name.startswith(_WEIGHTS) and weight != str(None)
