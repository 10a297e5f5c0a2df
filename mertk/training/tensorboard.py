"""TensorBoard with one entry a run."""

from __future__ import annotations

from typing import Any

from accelerate.tracking import TensorBoardTracker, on_main_process


class TensorBoard(TensorBoardTracker):
    """Accelerate's, but that the settings are written beside the figures.

    `add_hparams` of torch opens a folder for them below the run's, which TensorBoard shows as another run, and
    Accelerate one more for a YAML file.
    """

    @on_main_process
    def store_init_configuration(self, values: dict[str, Any]) -> None:
        from torch.utils.tensorboard.summary import hparams

        for summary in hparams(values, {}):
            self.writer.file_writer.add_summary(summary)
        self.writer.flush()
