"""One pass over the recordings of a corpus, for one feature directory or for several, each by its own extractor.

Several processes share the recordings; each writes a part of its own of every directory, and the first joins them at
the end. Each directory has its own record and ledger, and is what a pass for it alone would make: interrupted, it can
be continued alone or with any others.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mertk.data.recording_error import RecordingError
from mertk.errors import MertkError
from mertk.features.extraction import Extraction, Failure, Maker

if TYPE_CHECKING:
    from mertk.data.feature_store import FeatureRecord
    from mertk.features.extraction_plan import Item


@dataclass
class _Plan:
    """What the main process tells the others: the record of each directory, and the items of each process, by path."""

    records: list[FeatureRecord]
    shares: list[list[str]]


@dataclass
class _Report:
    """What one process made for one directory."""

    num_frames: int = 0
    failures: list[Failure] = field(default_factory=list)
    has_trace: bool = False


def extract_together(extractions: Sequence[Extraction]) -> None:
    """Make what each of the directories misses, and read each recording once for all of them.

    Args:
        extractions: of one class, one corpus and the same processes, into different directories.

    Raises:
        MertkError: extractors that cannot go together, features of another kind in a directory, or too many utterances
            that are lost.
    """
    from mertk.distributed import broadcast_object, gather_objects

    started = time.monotonic()
    _check_directories(extractions)
    first, processes = extractions[0], extractions[0].processes
    extractors = [each.load_extractor() if processes.is_main else None for each in extractions]
    plan: _Plan = broadcast_object(_plan(extractions, extractors) if processes.is_main else None)
    mine = set(plan.shares[processes.rank])
    finished = [each.finished() for each in extractions]
    items = [item for item in first.read_items(set.intersection(*finished)) if item.path in mine]
    # Nobody writes before everybody has seen what is there.
    gather_objects(None)
    for number, (each, there) in enumerate(zip(extractions, finished, strict=True)):
        if extractors[number] is None and _missing(items, there):
            extractors[number] = each.load_extractor()
    makers = [
        Maker(extractor, record, _missing(items, there))
        for extractor, record, there in zip(extractors, plan.records, finished, strict=True)
    ]
    reports = gather_objects(_write(extractions, items, makers) if items else [_Report() for _ in extractions])
    if processes.is_main:
        _finish(extractions, reports, time.monotonic() - started)


def _check_directories(extractions: Sequence[Extraction]) -> None:
    places = [each.out.resolve() for each in extractions]
    twice = next((place for place in places if places.count(place) > 1), None)
    if twice is not None:
        raise MertkError(f"{twice}: given for two extractors; each needs a feature directory of its own.")


def _missing(items: Sequence[Item], finished: set[tuple[str, str]]) -> set[str]:
    """Utterances of the items whose features are not there."""
    from mertk.features.extraction_plan import sources_of

    return {utterance for utterance, source in sources_of(items).items() if (utterance, source) not in finished}


def _plan(extractions: Sequence[Extraction], extractors: Sequence[Any]) -> _Plan:
    """Prepare the directories and share out what is missing in any; main process only."""
    from mertk.features.extraction_plan import share_out

    first = extractions[0]
    if len(extractions) > 1:
        first.check_company(extractors)
    records = [each.prepare(extractor) for each, extractor in zip(extractions, extractors, strict=True)]
    finished = [each.finished() for each in extractions]
    items = first.read_items(set.intersection(*finished))
    for each, extractor, record, there in zip(extractions, extractors, records, finished, strict=True):
        name = str(each.out) if len(extractions) > 1 else ""
        each.announce(items, Maker(extractor, record, _missing(items, there)), name)
    return _Plan(records, share_out(items, first.processes.count, records[0].options.get("max_seconds")))


def _write(extractions: Sequence[Extraction], items: Sequence[Item], makers: Sequence[Maker]) -> list[_Report]:
    """Write this process' part of every directory."""
    from mertk.data.feature_store import FeatureWriter
    from mertk.features.extraction_plan import sources_of
    from mertk.progress_bar import progress

    processes = extractions[0].processes
    sources, reports = sources_of(items), [_Report() for _ in makers]
    results = extractions[0].extract(items, makers)
    with ExitStack() as stack:
        stack.enter_context(closing(results))
        writers = {
            number: stack.enter_context(FeatureWriter(each.out, maker.record, processes.rank, processes.count))
            for number, (each, maker) in enumerate(zip(extractions, makers, strict=True))
            if maker.missing
        }
        description = f"{makers[0].record.modality} features" + (", first process" if processes.count > 1 else "")
        total = sum(len(maker.missing) for maker in makers)
        for number, utterance, features in progress(results, total, description, processes.is_main):
            report = reports[number]
            try:
                if isinstance(features, RecordingError):
                    raise features
                writers[number].write(utterance, features, sources[utterance])
                report.num_frames += len(features)
            except RecordingError as error:
                trace = "" if report.has_trace else error.trace
                report.has_trace = report.has_trace or bool(trace)
                report.failures.append(Failure(utterance, error.reason, str(error), trace))
    return reports


def _finish(extractions: Sequence[Extraction], reports: Sequence[list[_Report]], seconds: float) -> None:
    """Join the parts of every directory.

    Raises:
        MertkError: of the first one of which too much was lost; the others are whole.
    """
    errors: list[MertkError] = []
    for each, own in zip(extractions, zip(*reports, strict=True), strict=True):
        failures = [failure for report in own for failure in report.failures]
        try:
            each.finish(sum(report.num_frames for report in own), failures, seconds)
        except MertkError as error:
            errors.append(error)
    if errors:
        raise errors[0]
