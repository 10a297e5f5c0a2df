"""Foal-Net with WavLM-large on a CUDA device: utterances per second, share of the card's peak arithmetic, peak memory.

One training step (forward, losses, backward, AdamW) under bfloat16 autocast, on random weights of the real sizes and
utterances as long as IEMOCAP's, grouped by length. Six forms: all of WavLM trained, with and without torch.compile and
gradient checkpointing; adapters of rank 8 (LoRA); the last four layers alone. Each with `--batch_size` and with the
largest batch that fits: doubled until memory runs out on utterances of 6 s. Each form runs in a process of its own, so
that one that fails takes no other with it. The peak is measured by a large matrix product in the same run; the data
sheet's figure stands beside it where the card is known.

The work of a step (matrix products, convolutions, attention, forward and backward) is counted on the plain form, for
the forms that train all of WavLM: arithmetic done twice to save memory does not count, that done on padding does. Where
a part is trained, it is counted on that form.

The report is written after each form, so that a run that is stopped keeps those that were done.

Where there is no CUDA device it says so and ends with 0; `--device cpu --tiny` runs the same code on anything.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # the checkout, installed or not

from benchmarks.measuring import ROOT, benchmark_parser, figure, finish, keep, say
from mertk.cli import program

#: dense bfloat16 with float32 sums, TFLOP/s by part of the card's name, longest name first where one holds another
DATA_SHEET = {
    "B200": 2250.0,
    "H200 NVL": 836.0,
    "H200": 989.0,
    "H100 NVL": 836.0,
    "H100 PCIe": 756.0,
    "H100": 989.0,
    "A100": 312.0,
    "L40S": 362.0,
    "L4": 121.0,
    "A10G": 70.0,
    "A40": 149.7,
    "RTX 4090": 165.0,
    "RTX 3090": 71.0,
}
FORMS = ("plain", "checkpointed", "lora", "last_layers", "compiled", "compiled_checkpointed")


@program
def main(argv: list[str] | None = None) -> int:
    from benchmarks.workload import add_length_options

    parser = benchmark_parser("gpu", __doc__, "--batch_size 16")
    parser.add_argument("--device", default="cuda", choices=("cuda", "cpu"))
    parser.add_argument("--tiny", action="store_true", help="widths divided by 16, two layers: to try the program")
    parser.add_argument("--forms", nargs="+", choices=FORMS, default=list(FORMS), help="all by default")
    parser.add_argument("--batch_size", type=int, default=16)
    parser.add_argument("--most", type=int, default=2048, help="where doubling the batch ends")
    parser.add_argument("--batches", type=int, default=8, help="of different lengths")
    parser.add_argument("--rounds", type=int, default=3, help="over these batches")
    parser.add_argument("--limit_seconds", type=int, default=400, help="for each form")
    parser.add_argument("--seed", type=int, default=1234)
    parser.add_argument("--form", choices=FORMS, help=argparse.SUPPRESS)  # as which this program calls itself
    parser.add_argument("--start", type=int, help=argparse.SUPPRESS)
    add_length_options(parser)
    arguments = parser.parse_args(argv)

    reason = missing_device(arguments.device)
    if reason:
        say(f"nothing measured: {reason}")
        return finish("gpu", arguments, [], skipped=reason)
    if arguments.form:
        from benchmarks.gpu_step import measure_form

        for found in measure_form(arguments):
            arguments.out.write_text(json.dumps(found), encoding="utf-8")
        return 0
    return measure_all(arguments)


def missing_device(device: str) -> str:
    """Why the device cannot be used; empty when it can."""
    import torch

    if device == "cpu":
        return ""
    if not torch.cuda.is_available():
        return "torch finds no CUDA device"
    if not torch.cuda.is_bf16_supported(including_emulation=False):
        return f"{torch.cuda.get_device_name()} has no bfloat16"
    return ""


def measure_all(arguments: argparse.Namespace) -> int:
    """All forms, each in a process of its own, and the report."""
    from benchmarks.gpu_step import matmul_teraflops

    size = 256 if arguments.tiny else 8192
    peak = matmul_teraflops(arguments.device, size)
    name, sheet = data_sheet(arguments.device)
    say(f"{name}: {peak:.1f} TFLOP/s by a product of {size} x {size} matrices")
    card = {"device": name, "measured_teraflops": peak, "data_sheet_teraflops": sheet}
    found, largest = {}, {}
    for form in arguments.forms:
        # A compiled form starts its search at what fits uncompiled: every size is compiled anew.
        start = largest.get(form.removeprefix("compiled_").replace("compiled", "plain"))
        found[form] = run_form(arguments, form, start)
        largest[form] = found[form].get("largest_batch")
        say(f"{form}: {json.dumps(found[form])}")
        figures, more = describe(found, card)
        keep("gpu", arguments, figures, **more)
    code = finish("gpu", arguments, figures, **more)
    return code if len(figures) > 1 else 1  # nothing was measured, though there is a device


def describe(found: dict[str, dict[str, Any]], card: dict[str, Any]) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Rows of the report, and what else stands in it, of the forms that were measured so far."""
    peak = card["measured_teraflops"]
    figures = [figure("bfloat16 matrix product", peak, "TFLOP/s", digits=1)]
    for form, measured in found.items():
        figures += form_figures(form, measured, peak, card["data_sheet_teraflops"])
    failed = {form: measured["failed"] for form, measured in found.items() if "failed" in measured}
    return figures, {"card": card, "forms": found, "failed": failed}


def data_sheet(device: str) -> tuple[str, float | None]:
    """Name of the device, and its dense bfloat16 peak in TFLOP/s where it is known."""
    import torch

    from mertk.provenance import hardware

    if device == "cpu":
        return hardware()["cpu"], None
    name = torch.cuda.get_device_name()
    return name, next((peak for part, peak in DATA_SHEET.items() if part in name), None)


def run_form(arguments: argparse.Namespace, form: str, start: int | None) -> dict[str, Any]:
    """What `measure_form` finds in a process of its own, or `{"failed": why}`."""
    passed = ["device", "batch_size", "most", "batches", "rounds", "seed", "mean_seconds", "spread_seconds"]
    words = [word for name in passed for word in (f"--{name}", str(getattr(arguments, name)))]
    words += ["--tiny"] if arguments.tiny else []
    words += ["--durations", str(arguments.durations.absolute())] if arguments.durations else []
    words += ["--start", str(start)] if start else []
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "form.json"
        command = [sys.executable, "-m", "benchmarks.gpu", "--form", form, "--out", str(out), *words]
        failed = None
        try:
            code = subprocess.run(
                command, cwd=ROOT, stdout=sys.stderr, timeout=arguments.limit_seconds, check=False
            ).returncode
            if code != 0:
                failed = f"ended with exit code {code}; what it said is above"
        except subprocess.TimeoutExpired:
            failed = f"not done after {arguments.limit_seconds} s"
        found = json.loads(out.read_text(encoding="utf-8")) if out.exists() else {}
        return found | ({"failed": failed} if failed else {})


def form_figures(form: str, measured: dict[str, Any], peak: float, sheet: float | None) -> list[dict[str, Any]]:
    """Rows of one form in the report."""
    figures = []
    for size, one in measured.get("batches", {}).items():
        what = f"{form.replace('_', ', ')}, batch {size}"
        if "failed" in one:
            continue
        figures.append(figure(f"{what}: rate", one["utterances_per_second"], "utterances/s", digits=1))
        shares = [100 * value / peak for value in one["teraflops"]]
        figures.append(figure(f"{what}: share of the measured peak", shares, "%", digits=1))
        if sheet:
            shares = [100 * value / sheet for value in one["teraflops"]]
            figures.append(figure(f"{what}: share of the data sheet's peak", shares, "%", digits=1))
        if one["peak_gigabytes"] is not None:
            figures.append(figure(f"{what}: peak memory", one["peak_gigabytes"], "GB", digits=1))
    return figures


if __name__ == "__main__":
    raise SystemExit(main())
