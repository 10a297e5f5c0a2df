"""What the test of two machines runs: `python -m tests.two_machines FOLDER`, on every process of a launch."""

import json
import sys
from pathlib import Path

from tests.toy import make_trainer

if __name__ == "__main__":
    from mertk.config import TrainingConfig
    from mertk.training.launch import start_accelerator

    folder = Path(sys.argv[1])
    accelerator = start_accelerator(TrainingConfig())
    trainer, _ = make_trainer(folder, "training.epochs=2", "sampler.batch_size=11", dropout=0.0)
    trainer.fit()
    if accelerator.is_main_process:
        (folder / "ended.json").write_text(json.dumps({"num_processes": accelerator.num_processes}))
    accelerator.wait_for_everyone()
    accelerator.end_training()
