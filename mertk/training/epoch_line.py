"""What the screen says of an epoch, in one line: the monitored figure first, then losses, then what else fits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mertk.tasks import METRICS

#: of the names of losses: `ce_loss`; that of the weighted sum is `loss`
LOSS = "_loss"


def epoch_line(record: Mapping[str, Any], monitor: str, width: int, took: str = "") -> str:
    """One line for a record of history.jsonl.

    Losses are those of the validation part, with the means over the training steps in brackets.

    Args:
        monitor: the figure that the best epoch is chosen by.
        width: columns that there are; figures that do not fit are left out.
        took: how long the epoch took.

    >>> record = {"epoch": 3, "best": True, "train": {"loss": 1.31, "ce_loss": 0.9}}
    >>> record["validation"] = {"ua": 0.4512, "wa": 0.44, "mae": 0.7, "loss": 1.234, "ce_loss": 0.934}
    >>> epoch_line(record, "ua", 100, "4.1 s")
    'epoch   3  UA  45.12 % *  4.1 s  loss 1.234 (1.310)  ce 0.934 (0.900)  WA 44.00 %  MAE 0.7000'
    >>> epoch_line(record, "ua", 50)
    'epoch   3  UA  45.12 % *  loss 1.234 (1.310)'
    """
    validated, trained = record["validation"], record["train"]
    mark = "*" if record["best"] else " "
    is_led = monitor in validated
    led = f"{_heading(monitor)} {_value(monitor, validated[monitor]):>8}" if is_led else "no validation part"
    losses = [name for name in dict.fromkeys([*validated, *trained]) if is_loss(name) and name != monitor]
    losses.sort(key=lambda name: name != "loss")  # the sum before its terms
    others = [name for name in validated if not is_loss(name) and name != monitor]
    line = "  ".join([f"epoch {record['epoch']:3}", f"{led} {mark}", *([took] if took else [])])
    told = [_tell_loss(name, validated.get(name), trained.get(name)) for name in losses]
    for part in [*told, *(tell_figure(name, validated[name]) for name in others)]:
        if len(line) + 2 + len(part) > width:
            break
        line += f"  {part}"
    return line.rstrip()


def tell_figure(name: str, value: float | None) -> str:
    """A metric by its heading, fractions in percent; a loss by its name.

    >>> tell_figure("ua", 0.4512), tell_figure("mae", 0.7164), tell_figure("ce_loss", 1.0)
    ('UA 45.12 %', 'MAE 0.7164', 'ce loss 1.0000')
    """
    return f"{_heading(name)} {_value(name, value)}"


def _heading(name: str) -> str:
    return METRICS[name].heading if name in METRICS else name.replace(LOSS, " loss")


def _value(name: str, value: float | None) -> str:
    if value is None:
        return "-"
    return f"{100 * value:.2f} %" if name in METRICS and METRICS[name].is_fraction else f"{value:.4f}"


def is_loss(name: str) -> bool:
    return name == "loss" or name.endswith(LOSS)


def _tell_loss(name: str, validated: float | None, trained: float | None) -> str:
    told = [name.removesuffix(LOSS)]
    told += [f"{validated:.3f}"] if validated is not None else []
    told += [f"({trained:.3f})"] if trained is not None else []
    return " ".join(told)
