"""What ten million utterances on 256 GPUs would need, from what fewer need here and from sizes that are known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from benchmarks.measuring import figure

FLOAT_BYTES = 4
EMBEDDING_WIDTH = 512

#: of an utterance in IEMOCAP's manner, cut at 6 s; frames of CLIP-large a second, samples of 16 bits
MEAN_SECONDS, FRAME_RATE_HZ, FRAME_WIDTH, SAMPLE_RATE_HZ = 3.8, 30, 768, 16000
VIDEO_BYTES = MEAN_SECONDS * FRAME_RATE_HZ * FRAME_WIDTH * FLOAT_BYTES
AUDIO_BYTES = MEAN_SECONDS * SAMPLE_RATE_HZ * 2

#: bytes a second between machines, for each GPU
LINK = 25e9


@dataclass(frozen=True)
class Cluster:
    """What is planned for.

    Attributes:
        rate: utterances per second of one GPU, assumed; everything that is held against an epoch follows from it.
    """

    utterances: int
    gpus: int
    gpus_per_machine: int
    batch_per_gpu: int
    workers: int
    rate: float

    @property
    def batch(self) -> int:
        return self.gpus * self.batch_per_gpu


def count_parameters() -> tuple[int, int]:
    """Of Foal-Net on WavLM-large: all, and those that are trained; nothing is allocated."""
    import torch

    from benchmarks.workload import LARGE, make_foal

    with torch.device("meta"):
        model = make_foal({**LARGE})
    sizes = [(value.numel(), value.requires_grad) for value in model.parameters()]
    return sum(size for size, _ in sizes), sum(size for size, trained in sizes if trained)


def project(cluster: Cluster, opened: dict[str, float], plan: dict[str, float], answer: float) -> list[dict[str, Any]]:
    """Figures of the whole.

    Args:
        opened: what a process pays for `count` utterances (`scaling_data.OPEN`); it grows with their number.
        plan: an epoch's plan of all utterances, measured (`scaling_data.PLAN`).
        answer: bytes of one utterance's scores.
    """
    times = cluster.utterances / opened["count"]
    parameters, trained = count_parameters()
    epoch_minutes = cluster.utterances / cluster.gpus / cluster.rate / 60
    lists = opened["gigabytes"] * times
    on_machine = lists * cluster.gpus_per_machine
    similarities = 2 * cluster.batch * FLOAT_BYTES / 1e6
    validation = cluster.utterances // 100
    utterance = VIDEO_BYTES + AUDIO_BYTES
    exchanged = 2 * trained * FLOAT_BYTES
    return [
        figure("utterances of a step", cluster.batch),
        figure("steps of an epoch", plan["batches"]),
        figure("a step", cluster.batch_per_gpu / cluster.rate, "s", digits=3),
        figure("an epoch", epoch_minutes, "min", digits=1),
        figure("reading, float32 features and 16-bit audio", _all(utterance, cluster) / 1e9, "GB/s", digits=1),
        figure("the same with float16 features", _all(VIDEO_BYTES / 2 + AUDIO_BYTES, cluster) / 1e9, "GB/s", digits=1),
        figure("on disk, float32 features and 16-bit audio", utterance * cluster.utterances / 1e12, "TB", digits=2),
        figure("opening the lists, once", (opened["opening"] + opened["lengths"]) * times, "s", digits=1),
        figure("memory of the lists, each process", lists, "GB", digits=2),
        figure("memory of the lists, each machine", on_machine, "GB", digits=1),
        figure("the same, were every worker to copy them", on_machine * (1 + cluster.workers), "GB", digits=1),
        figure("an epoch's plan, each process (measured)", plan["seconds"], "s", digits=2),
        figure("its share of the epoch", plan["seconds"] / 60 / epoch_minutes * 100, "%", digits=2),
        figure("its memory (measured)", plan["gigabytes"], "GB", digits=2),
        figure("embeddings of a step that reach a GPU", _embedding_bytes(cluster) / 1e6, "MB", digits=2),
        figure("similarities of a step, local rows", similarities * cluster.batch_per_gpu, "MB", digits=2),
        figure("similarities of a step, all rows", similarities * cluster.batch, "MB", digits=1),
        figure("gradients of a step that leave a GPU", exchanged / 1e9, "GB", digits=2),
        figure(f"their time at {LINK / 1e9:g} GB/s", exchanged / LINK, "s", digits=3),
        figure("a checkpoint (weights, both moments)", (parameters + 2 * trained) * FLOAT_BYTES / 1e9, "GB", digits=2),
        figure(f"answers of {validation:,} validation utterances", validation * answer / 1e6, "MB", digits=1),
    ]


def _all(utterance_bytes: float, cluster: Cluster) -> float:
    """Bytes a second that all GPUs read."""
    return utterance_bytes * cluster.rate * cluster.gpus


def _embedding_bytes(cluster: Cluster) -> int:
    """Of both modalities, of all utterances of a step."""
    return 2 * cluster.batch * EMBEDDING_WIDTH * FLOAT_BYTES
