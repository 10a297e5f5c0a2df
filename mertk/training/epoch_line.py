"""What the screen says of an epoch, in one line: the monitored figure first, then losses, then what else fits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mertk.tasks import METRICS, tell_value

#: of the names of losses: `ce_loss`; that of the weighted sum is `loss`
LOSS = "_loss"
LEGEND = "epochs: * is the best so far; losses of the validation part, in brackets of the training"


def epoch_line(record: Mapping[str, Any], monitor: str, width: int, took: str = "") -> str:
    """One line for a record of history.jsonl, as `LEGEND` explains.

    Args:
        monitor: the figure that the best epoch is chosen by.
        width: columns that there are; figures that do not fit are left out.
        took: how long the epoch took.

    >>> record = {"epoch": 3, "best": True, "train": {"loss": 1.31, "ce_loss": 0.9}}
    >>> record["validation"] = {"ua": 0.4512, "wa": 0.44, "mae": 0.7, "loss": 1.234, "ce_loss": 0.934}
    >>> epoch_line(record, "ua", 100, "4.1 s")
    'epoch   3  UA  45.12 % *  4.1 s  loss 1.234 (1.310)  ce 0.934 (0.900)  WA 44.00 %  MAE 0.7000'
    >>> epoch_line(record, "loss", 70)
    'epoch   3  loss   1.2340 (1.310) *  ce 0.934 (0.900)  UA 45.12 %'
    """
    validated, trained = record["validation"], record["train"]
    mark = "*" if record["best"] else " "
    led = "no validation part"
    if monitor in validated:
        led = f"{_heading(monitor)} {_value(monitor, validated[monitor]):>8}"
        led += f" ({trained[monitor]:.3f})" if is_loss(monitor) and monitor in trained else ""
    names = [name for name in dict.fromkeys([*validated, *trained]) if name != monitor]
    losses = sorted(filter(is_loss, names), key=lambda name: name != "loss")  # the sum before its terms
    of_training = [name for name in losses if name not in validated] if validated else []
    told = [_tell_loss(name, validated.get(name), trained.get(name)) for name in losses if name not in of_training]
    told += [tell_figure(name, validated[name]) for name in names if name in validated and not is_loss(name)]
    told += [_tell_loss(name, None, trained[name]) for name in of_training]
    line = "  ".join([f"epoch {record['epoch']:3}", f"{led} {mark}", *([f"{took:>5}"] if took else [])])
    for part in told:
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
    return "-" if value is None else tell_value(name, value)


def is_loss(name: str) -> bool:
    return name == "loss" or name.endswith(LOSS)


def _tell_loss(name: str, validated: float | None, trained: float | None) -> str:
    told = [name.removesuffix(LOSS)]
    told += [f"{validated:.3f}"] if validated is not None else []
    told += [f"({trained:.3f})"] if trained is not None else []
    return " ".join(told)
