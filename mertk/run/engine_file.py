"""Engine files of Accelerate: which there are, which can start here, and what `accelerate launch` is told."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from mertk.errors import MertkError
from mertk.training.launch_request import KINDS, VARIABLE


@dataclass(frozen=True)
class Machines:
    """What differs between machines, and where they meet; None for what the engine's file says."""

    machine_rank: int | None = None
    main_process_ip: str | None = None
    main_process_port: int | None = None


#: the engine's file says all
ALONE = Machines()


def accelerate_arguments(
    module: str,
    arguments: list[str],
    num_processes: int = 0,
    engine: str | None = None,
    machines: Machines = ALONE,
) -> list[str]:
    """Arguments of `accelerate launch`; also tells the processes, through the environment, what they have to be.

    Args:
        num_processes: on all machines together; 0 means one for each visible GPU, at least one on each machine.

    Raises:
        MertkError: no such engine, or one that cannot start here.
    """
    file = engine_file(engine)
    settings = read_engine(file)
    kind, num_machines = KINDS[settings["distributed_type"]], settings.get("num_machines", 1)
    is_single = engine is not None and settings["distributed_type"] == "NO"
    num_processes = num_processes or (1 if is_single else num_machines * max(1, count_gpus()))
    if is_single and num_processes > 1:
        raise MertkError(f"{file} is for one process, but {num_processes} were asked for; take --engine ddp.")
    if num_processes % num_machines:
        raise MertkError(f"--num_processes {num_processes}: cannot be shared equally by {num_machines} machines.")
    words = ["--config_file", str(file), "--num_processes", str(num_processes)]
    if kind == "ddp" and num_processes > 1:
        words += ["--multi_gpu"]
    if num_machines > 1:
        words += _meeting_words(file, settings, machines)
    elif num_processes > 1 or kind != "ddp":
        words += ["--main_process_port", str(machines.main_process_port or 0)]
    if kind == "deepspeed" and not count_gpus():
        os.environ.setdefault("DS_ACCELERATOR", "cpu")  # which DeepSpeed would find out with a warning
    told = {"launcher": os.getpid(), "engine": kind, "num_processes": num_processes, "where": "mertk.bin.launch"}
    os.environ[VARIABLE] = json.dumps(told | {"precision": settings.get("mixed_precision", "no")})
    return [*words, "-m", module, *arguments]


def _meeting_words(file: Path, settings: dict[str, Any], machines: Machines) -> list[str]:
    """Which machine this is and where all of them meet."""
    address = machines.main_process_ip or settings.get("main_process_ip")
    if address in (None, "FILL_IN"):
        raise MertkError(
            f"{file}: main_process_ip is to be filled in; or give the address to mertk.bin.launch --main_process_ip."
        )
    if machines.machine_rank is None:
        raise MertkError(
            f"{file} is for {settings['num_machines']} machines; start mertk.bin.launch --machine_rank N on each."
        )
    if not 0 <= machines.machine_rank < settings["num_machines"]:
        last = settings["num_machines"] - 1
        raise MertkError(f"--machine_rank {machines.machine_rank}: expected a number from 0 to {last}.")
    port = machines.main_process_port or settings.get("main_process_port") or 29500
    meeting = {"machine_rank": machines.machine_rank, "main_process_ip": address, "main_process_port": port}
    return [word for name, value in meeting.items() for word in (f"--{name}", str(value))]


def engine_file(engine: str | None) -> Path:
    """The file of an engine: one of conf/accelerate by its name, any by its path, or the default.

    Raises:
        MertkError: there is none.
    """
    root = Path(__file__).parents[2]
    if engine is None:
        return root / "accelerate_config.yaml"
    ready = root / "conf" / "accelerate"
    file = ready / f"{engine}.yaml" if "/" not in engine and not engine.endswith((".yaml", ".yml")) else Path(engine)
    if not file.is_file():
        names = ", ".join(sorted(path.stem for path in ready.glob("*.yaml")))
        raise MertkError(f"--engine {engine}: no such engine; expected a YAML file of Accelerate, or one of {names}.")
    return file


def read_engine(file: Path) -> dict[str, Any]:
    """Settings of an engine that can start here.

    Raises:
        MertkError: not a configuration of Accelerate, an engine that is not offered, or one that cannot start here.
    """
    from mertk.content import read_yaml

    settings = read_yaml(file, dict[str, Any], "give a configuration of Accelerate")
    kind = settings.get("distributed_type")
    if not isinstance(kind, str) or kind not in KINDS:
        raise MertkError(f"{file}: distributed_type is {kind!r}, expected one of {', '.join(KINDS)}.")
    if kind == "DEEPSPEED" and find_spec("deepspeed") is None:
        raise MertkError(
            f'{file} needs DeepSpeed, which is not installed: pip install -c constraints.txt ".[deepspeed]"'
        )
    if kind == "FSDP" and not count_gpus():
        raise MertkError(f"{file} is FSDP, which needs GPUs, and there is none; take --engine ddp or deepspeed_zero3.")
    return settings


def count_gpus() -> int:
    """Visible CUDA devices, without importing torch."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        return len([name for name in visible.split(",") if name.strip() not in ("", "-1")])
    if shutil.which("nvidia-smi") is None:
        return 0
    listed = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, check=False)
    return sum(line.startswith("GPU ") for line in listed.stdout.splitlines())
