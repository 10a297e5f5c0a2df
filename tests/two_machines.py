"""What the test of two machines runs: `python -m tests.two_machines FOLDER`, on every process of a launch."""

import json
import sys
from contextlib import suppress
from pathlib import Path

from tests.toy import make_trainer


def train(accelerator, folder):
    trainer, _ = make_trainer(folder, "training.epochs=2", "sampler.batch_size=11", dropout=0.0)
    trainer.fit()
    trainer.close()
    if accelerator.is_main_process:
        (folder / "ended.json").write_text(json.dumps({"num_processes": accelerator.num_processes}))


def gloo_threads():
    """Threads of gloo that this process still has."""
    names = []
    for place in Path("/proc/self/task").glob("*/comm"):
        with suppress(OSError):  # others come and go: one that was listed may have ended
            names.append(place.read_text().strip())
    return [name for name in names if "gloo" in name]


if __name__ == "__main__":
    from mertk.config import TrainingConfig
    from mertk.training.accelerator import end_accelerator, start_accelerator

    accelerator = start_accelerator(TrainingConfig())
    assert sys.platform != "linux" or gloo_threads(), "their names have changed; what follows would prove nothing"
    train(accelerator, Path(sys.argv[1]))
    end_accelerator(accelerator)
    # One that is still letting go of a tensor while Python ends brings the process down.
    assert not gloo_threads(), gloo_threads()
