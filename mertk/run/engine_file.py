"""Engine files of Accelerate: which there are, which can start here, and what `accelerate launch` is told."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from mertk.errors import MertkError
from mertk.installing import installing_extra
from mertk.training.launch_request import KINDS, VARIABLE

#: one file for each engine
ENGINES = Path(__file__).parents[1] / "conf" / "engines"
#: what is taken without `--engine`
DEFAULT = ENGINES.with_name("accelerate_config.yaml")
#: what `accelerate launch` sets for one process by `DEFAULT` or by the file of `single`
ENVIRONMENT_ALONE = {
    "ACCELERATE_USE_CPU": "False",
    "ACCELERATE_MIXED_PRECISION": "no",
    "ACCELERATE_DYNAMO_BACKEND": "NO",
    "ACCELERATE_DYNAMO_MODE": "default",
    "ACCELERATE_DYNAMO_USE_FULLGRAPH": "False",
    "ACCELERATE_DYNAMO_USE_DYNAMIC": "False",
    "ACCELERATE_DYNAMO_USE_REGIONAL_COMPILATION": "False",
}


@dataclass(frozen=True)
class Machines:
    """How many train together, which of them this is, and where they meet; None for what the engine's file says."""

    num_machines: int | None = None
    machine_rank: int | None = None
    main_process_ip: str | None = None
    main_process_port: int | None = None

    def options(self) -> list[str]:
        """Options of `mertk launch` that say this."""
        given = {name: value for name, value in asdict(self).items() if value is not None}
        return [word for name, value in given.items() for word in (f"--{name}", str(value))]


#: the engine's file says all
ALONE = Machines()


def accelerate_arguments(
    module: str,
    arguments: list[str],
    num_processes: int = 0,
    engine: str | None = None,
    machines: Machines = ALONE,
    offload: bool = False,
) -> list[str]:
    """Arguments of `accelerate launch`; also tells the processes, through the environment, what they have to be.

    Args:
        num_processes: on all machines together; 0 means one for each visible GPU, at least one on each machine.
        offload: let DeepSpeed keep the optimizer's state, and with ZeRO-3 the weights, in CPU memory.

    Raises:
        MertkError: no such engine, or one that cannot start here.
    """
    file = engine_file(engine)
    settings = read_engine(file)
    kind = KINDS[settings["distributed_type"]]
    num_machines = settings.get("num_machines", 1) if machines.num_machines is None else machines.num_machines
    if num_machines < 1:
        raise MertkError(f"--num_machines {num_machines}: expected a number from 1.")
    is_single = engine is not None and settings["distributed_type"] == "NO"
    num_processes = num_processes or (1 if is_single else num_machines * max(1, count_gpus()))
    if is_single and num_processes * num_machines > 1:
        raise MertkError(f"{file} is for one process, but {_several(num_processes, num_machines)}; take --engine ddp.")
    if num_processes % num_machines:
        raise MertkError(f"--num_processes {num_processes}: cannot be shared equally by {num_machines} machines.")
    words = ["--config_file", str(file), "--num_processes", str(num_processes)]
    if kind == "ddp" and num_processes > 1:
        words += ["--multi_gpu"]
    if offload:
        words += _offload_words(file, settings)
    if num_machines > 1:
        words += _meeting_words(file, settings, machines, num_machines)
    elif machines.machine_rank or machines.main_process_ip:
        raise MertkError("--machine_rank and --main_process_ip are for several machines; say how many: --num_machines.")
    elif num_processes > 1 or kind != "ddp":
        words += ["--main_process_port", str(machines.main_process_port or 0)]
    if kind == "deepspeed" and not count_gpus():
        os.environ.setdefault("DS_ACCELERATOR", "cpu")  # which DeepSpeed would find out with a warning
    told = {"launcher": os.getpid(), "engine": kind, "num_processes": num_processes, "where": "mertk launch"}
    os.environ[VARIABLE] = json.dumps(told | {"precision": settings.get("mixed_precision", "no")})
    return [*words, "-m", module, *arguments]


def environment_alone(words: list[str]) -> dict[str, str] | None:
    """The environment of the only process, where it is known without Accelerate, which takes seconds to import torch.

    Args:
        words: of `accelerate_arguments`.

    Returns:
        None where Accelerate must decide: on several processes, and by files other than ours for one process.
    """
    ours = [["--config_file", str(file), "--num_processes", "1", "-m"] for file in (DEFAULT, ENGINES / "single.yaml")]
    if words[:5] not in ours:
        return None
    threads = os.environ.get("OMP_NUM_THREADS", "1")
    return os.environ | ENVIRONMENT_ALONE | {"OMP_NUM_THREADS": threads}


def _several(num_processes: int, num_machines: int) -> str:
    machines = f" on {num_machines} machines" if num_machines > 1 else ""
    return f"{max(num_processes, num_machines)} were asked for{machines}"


def _offload_words(file: Path, settings: dict[str, Any]) -> list[str]:
    """What to keep in CPU memory.

    Raises:
        MertkError: not DeepSpeed.
    """
    if settings["distributed_type"] != "DEEPSPEED":
        raise MertkError(f"--offload is for DeepSpeed, and {file} is another engine; take --engine deepspeed_zero2.")
    words = ["--offload_optimizer_device", "cpu"]
    if (settings.get("deepspeed_config") or {}).get("zero_stage") == 3:
        words += ["--offload_param_device", "cpu"]
    return words


def _meeting_words(file: Path, settings: dict[str, Any], machines: Machines, num_machines: int) -> list[str]:
    """Which machine this is of how many, and where all of them meet."""
    address = machines.main_process_ip or settings.get("main_process_ip")
    if not address:
        raise MertkError(
            f"{file}, {num_machines} machines: where do they meet? Give mertk launch --main_process_ip ADDRESS, "
            "that of the machine of rank 0."
        )
    if machines.machine_rank is None:
        raise MertkError(f"{file}, {num_machines} machines: start mertk launch --machine_rank N on each.")
    if not 0 <= machines.machine_rank < num_machines:
        raise MertkError(f"--machine_rank {machines.machine_rank}: expected a number from 0 to {num_machines - 1}.")
    port = machines.main_process_port or settings.get("main_process_port") or 29500
    return Machines(num_machines, machines.machine_rank, address, port).options()


def engine_file(engine: str | None) -> Path:
    """The file of an engine: one of `ENGINES` by its name, any by its path, or the default.

    Raises:
        MertkError: there is none.
    """
    if engine is None:
        return DEFAULT
    file = ENGINES / f"{engine}.yaml" if "/" not in engine and not engine.endswith((".yaml", ".yml")) else Path(engine)
    if not file.is_file():
        names = ", ".join(sorted(path.stem for path in ENGINES.glob("*.yaml")))
        told = _successor(engine)
        raise MertkError(
            f"--engine {engine}: no such engine; expected a YAML file of Accelerate, or one of {names}{told}."
        )
    return file


def _successor(engine: str) -> str:
    """What an engine of earlier versions is now."""
    name = engine.removesuffix("_two_machines").removesuffix("_offload")
    if name == engine or not (ENGINES / f"{name}.yaml").is_file():
        return ""
    options = " --offload" * ("_offload" in engine) + " --num_machines 2" * engine.endswith("_two_machines")
    return f" (this one is now --engine {'ddp' if name == 'single' else name}{options})"


def check_engine(engine: str | None, offload: bool = False) -> None:
    """Refuse what no machine could start, before hours go into what comes first.

    Raises:
        MertkError: no such engine, one that is not offered, or `offload` with one that is not DeepSpeed.
    """
    file = engine_file(engine)
    settings = _read(file)
    if offload:
        _offload_words(file, settings)


def read_engine(file: Path) -> dict[str, Any]:
    """Settings of an engine that can start here.

    Raises:
        MertkError: not a configuration of Accelerate, an engine that is not offered, or one that cannot start here.
    """
    settings = _read(file)
    kind = settings["distributed_type"]
    if kind == "DEEPSPEED" and find_spec("deepspeed") is None:
        raise MertkError(f"{file} needs DeepSpeed, which is not installed; {installing_extra('deepspeed')}")
    if kind == "FSDP" and not count_gpus():
        raise MertkError(f"{file} is FSDP, which needs GPUs, and there is none; take --engine ddp or deepspeed_zero3.")
    return settings


def _read(file: Path) -> dict[str, Any]:
    """Settings of an engine, which perhaps cannot start here."""
    from mertk.content import read_yaml

    settings = read_yaml(file, dict[str, Any], "give a configuration of Accelerate")
    kind = settings.get("distributed_type")
    if not isinstance(kind, str) or kind not in KINDS:
        raise MertkError(f"{file}: distributed_type is {kind!r}, expected one of {', '.join(KINDS)}.")
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
