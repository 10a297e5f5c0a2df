"""The only training loop: any method, one process or many."""

from __future__ import annotations

import time
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from mertk.batch import Batch, to_device
from mertk.config import Config, as_dict
from mertk.errors import MertkError
from mertk.tasks import is_smaller_better
from mertk.training.agreement import Agreement
from mertk.training.batch_norm import share_batch_norm
from mertk.training.batches import Batches, count_steps
from mertk.training.cached_accumulation import CachedBatch, cache_step, check_cached
from mertk.training.engines import autocast, make_engine
from mertk.training.epoch_terms import EpochTerms, mean_over_processes
from mertk.training.finite_check import FiniteCheck
from mertk.training.left_out import find_left_out
from mertk.training.optim import make_optimizer
from mertk.training.progress import Progress
from mertk.training.saving import SaveBest, Saver
from mertk.training.schedule import Schedule
from mertk.training.scoring import Scores, score
from mertk.training.state import TrainingState
from mertk.training.tracking import Tracking
from mertk.training.turns import check_engine, make_turns, remaining_batches

if TYPE_CHECKING:
    from accelerate import Accelerator

    from mertk.models.base import Model


class Trainer:
    """Trains a model, chooses its best epoch on the validation part, and can go on where it was interrupted.

    Args:
        batches: training batches of this process.
        validation: batches of the validation part, or None: then the last epoch is the one to keep.
        validation_ids: every utterance of the validation part.
        measure: metrics of the validation part from its scores.
        save_best: writes the model directory; gets weights and progress, on the main process only.
        asked_to_stop: whether this process was told to end; the training then stops behind a step, with all saved.
    """

    def __init__(
        self,
        accelerator: Accelerator,
        model: Model,
        config: Config,
        run_dir: Path,
        batches: Batches,
        validation: Any | None,
        validation_ids: list[str],
        measure: Callable[[Scores], dict[str, float]],
        save_best: SaveBest,
        asked_to_stop: Callable[[], bool] = lambda: False,
    ) -> None:
        self.accelerator = accelerator
        self.config = config
        self.run_dir = run_dir
        self.batches = batches
        self.validation = validation
        self.validation_ids = validation_ids
        self.measure = measure
        self.weights = {name: weight for name, weight in config.loss_weights.items() if weight is not None}
        self.progress = Progress()
        left_out = find_left_out(model, config)
        model.to(accelerator.device)
        share_batch_norm(model, accelerator.num_processes, accelerator.device)
        # Accelerate cannot tell the steps that fp16's scaler skips from others when the optimizer is fused.
        fused = accelerator.device.type == "cuda" and accelerator.mixed_precision != "fp16"
        optimizer = make_optimizer(model, config.optimizer, fused)
        self.drops_leftovers = config.optimizer.leftover_batches == "drop"
        self.turns = make_turns(model, config.optimizer, len(batches), self.weights)
        self.turn = self.turns[0]
        self.steps_per_epoch = sum(count_steps(len(turn), config.optimizer) for turn in self.turns)
        self.total_steps = config.training.stop_at_step or config.training.epochs * self.steps_per_epoch
        self.minimizes = is_smaller_better(config.training.monitor)
        self.method = model
        # Before an engine leaves each process a part of them.
        self.num_parameters = sum(parameter.numel() for parameter in model.parameters())
        training = config.training
        self.terms = EpochTerms(accelerator)
        self.check_finite = FiniteCheck()
        self.is_cached = config.optimizer.accumulation == "cached"
        if self.is_cached:
            check_cached(accelerator, model, training.compile)
        check_engine(accelerator, self.turns)
        self.engine = make_engine(accelerator, model, optimizer, config.optimizer, training.compile, left_out.names)
        self.model = self.engine.model
        self.schedule = Schedule(self.engine.optimizer, config.schedule, self.total_steps, self.minimizes)
        state = TrainingState(accelerator, self.engine, self.schedule, training.seed, left_out.digest)
        self.saver = Saver(run_dir, state, save_best, training.keep_checkpoints)
        self.agreement = Agreement(accelerator, asked_to_stop, training.checkpoint_minutes)
        self.tracking = Tracking(accelerator, run_dir, as_dict(config), self.total_steps)

    def fit(self, resume: bool = False) -> Progress:
        """Train to the end of the configuration, or until asked to stop; returns where the run is.

        `Progress.stopped` says why the training has ended; it is empty when it was asked to stop before.

        Raises:
            MertkError: a loss or gradient that is not finite (names the batch's utterances), loss terms that are not
                those of `loss_weights`, or a best model that found no room on the disk.
        """
        if resume:
            self.resume()
        self._started = time.perf_counter() - self.progress.seconds
        try:
            self.tracking.start(self.progress)
            while not self.progress.stopped and self._train_epoch():
                self._finish_epoch()
            if self.progress.stopped:
                self.saver.finish()
                self.tracking.report_end(self.progress)
        finally:
            self.tracking.close()
        return self.progress

    def resume(self) -> None:
        """Go on from the last checkpoint, if there is one; `progress` then says where that is.

        Raises:
            MertkError: there are checkpoints, but none that this run can go on from.
        """
        if saved := self.saver.resume(self._rehearse):
            self.progress = saved
            if saved.stopped and not self._why_stopped():
                saved.stopped = ""  # the configuration now asks for more

    def close(self) -> None:
        """End the workers of its loaders, when nothing is read any more."""
        self.batches.close()
        if self.validation is not None:
            self.validation.close()

    def _train_epoch(self) -> bool:
        """Steps up to the end of the epoch; returns whether it got there, or else was asked to stop."""
        self.model.train()
        accumulation = self.config.optimizer.accumulation_steps
        group: list[Batch] = []
        if self._at_last_step():
            return True  # interrupted between the last step and the end of its epoch
        batches = remaining_batches(self.turns, self.batches, self.progress.epoch, self.progress.position)
        for self.turn, batch in batches:
            group.append(batch)
            self.progress.position += 1
            is_last = self.progress.position == self.turn.end
            if is_last and len(group) < accumulation and self.drops_leftovers:
                group = []
            elif is_last or len(group) == accumulation:
                self._step(group)
                group = []
                decision = self.agreement.after_step()
                if decision.stop or decision.save:
                    self._save()
                if decision.stop:
                    self.tracking.say("asked to stop: saved at step %d", self.progress.step)
                    return False
                if self._at_last_step():
                    break
        return True

    def _at_last_step(self) -> bool:
        stop = self.config.training.stop_at_step
        return stop is not None and self.progress.step >= stop

    def _rehearse(self) -> None:
        """Compute the gradient of the first step of all, and drop it; before a checkpoint is read.

        Behind its first gradient DDP packs gradients anew, and three or more processes then add them in another order.
        A run that goes on is behind its first, so it must begin with the later order.
        """
        if self.engine.name == "ddp" and self.accelerator.num_processes > 2:
            self.model.train()
            self._accumulate(list(islice(self.batches.epoch(0), self.config.optimizer.accumulation_steps)))
            self.model.zero_grad()

    def _step(self, group: list[Batch]) -> None:
        """One optimizer step over the batches of `group`."""
        self.check_finite.look_back()
        sums = self._accumulate(group)
        self.engine.held = self.turn.held
        norm = self.engine.step()
        # The scaler of fp16 expects such steps now and then, and skips them.
        if norm is not None and self.accelerator.mixed_precision != "fp16":
            self.check_finite(norm, self._not_finite("the gradient is not finite", group))
        if not self.engine.skipped:
            self.schedule.step()
        self.progress.step += 1
        self.terms.add(sums, self.progress)
        self.tracking.step(sum(len(batch["utterance_ids"]) for batch in group) * self.accelerator.num_processes)
        if self.progress.step % self.config.training.log_every == 0:
            figures = self._named(mean_over_processes(self.accelerator, sums))
            figures["learning_rate"] = self.schedule.learning_rates()[0]
            self.tracking.report_step(self.progress.step, self.progress.epoch, figures)

    def _named(self, terms: dict[str, float]) -> dict[str, float]:
        """Terms called as those of the validation part."""
        return {f"{name}_loss" if name in self.weights else name: value for name, value in terms.items()}

    def _accumulate(self, group: list[Batch]) -> dict[str, torch.Tensor]:
        """Gradient of a step over the batches of `group`; returns the means of losses and figures on this process."""
        share = 1.0 if self.config.optimizer.accumulation == "sum" else 1 / len(group)
        sums: dict[str, torch.Tensor] = {}
        cached: list[CachedBatch | None] = [None] * len(group)
        if self.is_cached:
            cached[:] = cache_step(self.accelerator, self.method, group, self.turn.weights)
        for number, batch in enumerate(group):
            is_last = number == len(group) - 1
            with self.engine.micro_batch(is_last):
                terms = self._backward(to_device(batch, self.accelerator.device), share, cached[number])
            if not is_last:
                self.engine.limit_batch()
            for name, value in terms.items():
                sums[name] = sums.get(name, 0) + value.detach() / len(group)
        return sums

    def _backward(self, batch: Batch, share: float, cached: CachedBatch | None) -> dict[str, torch.Tensor]:
        try:
            return self._compute(batch, share, cached)
        except torch.OutOfMemoryError as error:
            raise MertkError(
                f"step {self.progress.step + 1}: the GPU's memory is too small for a batch of "
                f"{len(batch['utterance_ids'])} utterances on one process. Lower sampler.batch_size (and raise "
                "optimizer.accumulation_steps), or set the encoder's gradient_checkpointing."
            ) from error

    def _compute(self, batch: Batch, share: float, cached: CachedBatch | None) -> dict[str, torch.Tensor]:
        if cached is not None:
            cached.rewind()
        with autocast(self.accelerator):
            output = self.model(batch)
            terms = (cached or self.method).losses(output, batch)
            if terms.keys() != self.weights.keys():
                raise MertkError(
                    f"loss_weights has {', '.join(self.weights) or 'nothing'}, but the model computes "
                    f"{', '.join(terms)}; the names must be equal (set a weight to null to take its term out)."
                )
            total = sum(self.turn.weights[name] * value for name, value in terms.items())
        self.check_finite(total, self._not_finite("the loss is not finite", [batch], terms))
        self.engine.backward(total * share + (cached.pull(output) if cached else 0))
        self.method.after_step(output, batch)
        return terms | {"loss": total} | self.method.figures(output, batch)

    def _not_finite(
        self, what: str, batches: list[Batch], terms: dict[str, torch.Tensor] | None = None
    ) -> Callable[[], str]:
        """What to say should it turn out so; nothing is looked at before."""
        step = self.progress.step + 1
        names = [name for batch in batches for name in batch["utterance_ids"]]
        values = {name: value.detach() for name, value in (terms or {}).items()}

        def tell() -> str:
            told = ", ".join(f"{name}={value.item():.4g}" for name, value in values.items())
            return (
                f"step {step}: {what}{told and f' ({told})'} on process {self.accelerator.process_index}; "
                f"the batch holds {', '.join(names)}. Look at these utterances, or lower the learning rate."
            )

        return tell

    def _finish_epoch(self) -> None:
        """Score the validation part, keep the best model, decide whether to go on, save a checkpoint."""
        progress, training = self.progress, self.config.training
        self.check_finite.settle()
        metrics: dict[str, float] = {}
        if self.validation is not None:
            scores = score(self.accelerator, self.engine.plain, self.validation, self.validation_ids)
            metrics = self.measure(scores) | {f"{name}_loss": value for name, value in scores.losses.items()}
            metrics["loss"] = sum(self.weights[name] * value for name, value in scores.losses.items())
        # Without a validation part, the last epoch is the best: whether it is that must be known before.
        progress.stopped = self._last_epoch(progress.epoch + 1)
        improved = self._improved(metrics)
        if metrics:
            self.schedule.end_epoch(metrics[training.monitor], progress.step)
        progress.since_best = 0 if improved else progress.since_best + 1
        trained = self._named(self.terms.end_epoch(progress))
        record = {"epoch": progress.epoch, "step": progress.step, "train": trained, "validation": metrics}
        record["best"] = improved
        progress.epoch += 1
        progress.position = 0
        progress.stopped = self._why_stopped()
        if improved:
            self.saver.keep_best(progress)
        self.tracking.report_epoch(record)
        self.saver.write(self.tracking.history, self.tracking.write_history)
        self._save()

    def _last_epoch(self, epochs: int) -> str:
        """Why there is no epoch behind this many; empty if there is one."""
        if self._at_last_step():
            return "steps"
        return "epochs" if epochs >= self.config.training.epochs and self.config.training.stop_at_step is None else ""

    def _why_stopped(self) -> str:
        """Why the training ends behind the epoch that is over; empty if it goes on."""
        patience = self.config.training.early_stop if self.validation is not None else None
        early = patience is not None and self.progress.since_best >= patience
        return self._last_epoch(self.progress.epoch) or ("early" if early else "")

    def _improved(self, metrics: dict[str, float]) -> bool:
        """Compare with the best so far; every process sees the same metrics, so all agree."""
        progress, monitor = self.progress, self.config.training.monitor
        if metrics:
            if monitor not in metrics:
                raise MertkError(f"training.monitor: got {monitor!r}, expected one of {', '.join(sorted(metrics))}.")
            value = -metrics[monitor] if self.minimizes else metrics[monitor]
            if progress.best is not None and value <= progress.best:
                return False
            progress.best = value
        elif not progress.stopped:
            return False  # nothing to choose by: the last epoch is the best
        progress.best_epoch, progress.best_step = progress.epoch, progress.step
        return True

    def _save(self) -> None:
        self.check_finite.settle()
        self.terms.gather(self.progress)
        self.progress.seconds = time.perf_counter() - self._started
        self.saver.save(self.progress)
        self.agreement.saved()
