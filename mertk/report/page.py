"""One page to show: everything about scored experiments in a single HTML file that needs nothing else."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from mertk.content import read_json
from mertk.errors import MertkError
from mertk.report.comparison import compare_alike
from mertk.report.comparison_table import comparison_matrix, comparison_parts
from mertk.report.document import metric_lines, tell_intervals
from mertk.report.experiments import Experiment
from mertk.report.figures import headings, metric_set_of, spread
from mertk.report.formatting import Record, corpus_of, describe, method_of, title_of
from mertk.report.group_gaps import group_parts
from mertk.report.learning import Curves, draw_curves, read_curves
from mertk.report.mistakes import WorstMistake, worst_mistakes
from mertk.report.origin import origin_lines
from mertk.report.page_parts import blocks, column_is_text, recall_table, speaker_parts, split_facts, with_code
from mertk.report.page_pictures import PagePictures, data_uri, read_png
from mertk.report.projection import PROJECTIONS
from mertk.report.published import beside_parts, published_rows, read_beside
from mertk.report.reliability import draw_reliability
from mertk.report.representations import picture_name
from mertk.report.robustness import find_robustness
from mertk.report.robustness_picture import draw_robustness
from mertk.report.robustness_table import robustness_parts
from mertk.report.runs import ScoredRun
from mertk.report.tables import ablation_parts, overview_parts, run_table
from mertk.tasks import find_task

#: worst errors that are shown
NUM_MISTAKES = 12
SUFFIXES = (".html", ".htm")
#: endings of files rather than folders
OTHER_FILE = re.compile(r"\.(md|json|pdf|txt|png|svg|tsv|csv|tex|docx?|yaml)", re.IGNORECASE)


class Source(Protocol):
    """Where transcripts and sounds come from (`mertk.run.clips`); None for what nobody has."""

    def has_data(self, run_dir: Path) -> bool: ...

    def transcript(self, run_dir: Path, utterance: str) -> str | None: ...

    def sound(self, run_dir: Path, utterance: str) -> tuple[str, bytes] | None: ...


def find_page(out: Path) -> Path:
    """The file of the page: `out`, or report.html in it where it is a folder; found out before the work.

    Raises:
        MertkError: the name is that of another kind of file.
    """
    if out.suffix.lower() in SUFFIXES and not out.is_dir():
        return out
    if not out.is_dir() and (out.exists() or OTHER_FILE.fullmatch(out.suffix)):
        raise MertkError(f"--out {out}: expected a folder, or a name that ends in .html, such as report.html.")
    return out / "report.html"


def write_page(
    experiments: Sequence[Experiment],
    out: Path,
    published: Mapping[str, Path],
    source: Source,
    num_sounds: int = 0,
) -> None:
    """Write the page, whole or not at all.

    Args:
        published: by recipe the YAML file of the figures that are to stand beside ours.
        source: of transcripts and sounds.
        num_sounds: how many of the worst errors of each experiment can be listened to; their sound is in the page.
    """
    from mertk.atomic import write_text

    write_text(out, page_text(experiments, published, source, num_sounds))


def page_text(
    experiments: Sequence[Experiment], published: Mapping[str, Path], source: Source, num_sounds: int = 0
) -> str:
    """The markup of the page; well-formed XML too."""
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup

    from mertk.file_names import printable
    from mertk.progress_bar import progress

    def finalize(value: Any) -> Any:
        return value if isinstance(value, Markup) or not isinstance(value, str) else printable(value, keep="\n")

    environment = Environment(
        loader=PackageLoader("mertk.report"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=finalize,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"column_is_text": column_is_text, "with_code": with_code}
    records = [experiment.record for experiment in experiments]
    beside = read_beside(records, published)
    common_facts, facts = split_facts(records)
    pictures = PagePictures()
    details = [
        _details(experiment, pictures, source, num_sounds)
        for experiment in progress(experiments, description="experiments drawn")
    ]
    return environment.get_template("page.html").render(
        title=f"Results of {', '.join(dict.fromkeys(map(method_of, records)))}",
        corpora=list(dict.fromkeys(map(corpus_of, records))),
        names=[record["name"] for record in records],
        headings=list(map(describe, records)),
        common_facts=common_facts,
        facts=facts,
        overview=blocks(overview_parts(records)),
        intervals=list(map(tell_intervals, records)),
        ablation=blocks(ablation_parts(records, published_rows(beside))),
        recall=recall_table(records),
        published=blocks(beside_parts(beside)),
        comparison=_comparison(experiments),
        details=details,
        origins=list(map(origin_lines, records)),
        metrics=[line.removeprefix("- ") for line in metric_lines(records)],
    )


def _comparison(experiments: Sequence[Experiment]) -> dict[str, Any] | None:
    """Every pair that can be compared, and which cannot; None of a single experiment."""
    if len(experiments) < 2:
        return None
    found, refused = compare_alike(experiments)
    metrics = list(dict.fromkeys(one.metric for pair in found for one in pair.differences))
    matrices = [matrix for name in metrics if (matrix := comparison_matrix(found, name)) is not None]
    return {"matrices": matrices, "pairs": blocks(comparison_parts(found)) if found else [], "refused": refused}


def _details(experiment: Experiment, pictures: PagePictures, source: Source, num_sounds: int) -> dict[str, Any]:
    """All that is told of one experiment by itself."""
    from markupsafe import Markup

    record = experiment.record
    task = find_task(record["task"])
    about = title_of(record)
    main = metric_set_of(record).main
    told = ", ".join(f"{heading} {spread(record, name)}" for heading, name in zip(headings(main), main, strict=True))
    curves, notes = read_curves(experiment.runs)
    # The picture of intensities says its figures itself.
    title = f"{about}: {task.report.caption}" + ("" if task.has_numbers else f"\n{told}")
    calibration = record.get("calibration")
    drawn = {
        "curves": curves and _draw_curves(record, curves, about, pictures),
        "answers": pictures.draw(title, lambda path: experiment.plot(title, path)),
        "reliability": calibration and _draw_reliability(calibration, about, pictures),
    }
    mistakes = worst_mistakes(experiment, NUM_MISTAKES)
    rows = _mistake_rows(mistakes, source, num_sounds)
    return {
        "runs": blocks([run_table(record)]),
        "pictures": {name: Markup(picture) if picture else None for name, picture in drawn.items()},
        "caption": task.report.caption,
        "curve_notes": notes,
        "answers": blocks(task.report.tables(record)),
        "speakers": blocks(list(speaker_parts(record))),
        "groups": blocks(list(group_parts(record))),
        "robustness": _robustness(experiment, about, pictures),
        "mistakes": rows,
        "has_data": any(source.has_data(one.run) for one in mistakes),
        "num_silent": sum(row["sound"] is None for row in rows[:num_sounds]),
        "has_predictions": all(one is not None for one in experiment.predictions),
        "representations": _representations(experiment),
    }


def _draw_curves(record: Record, curves: Sequence[Curves], about: str, pictures: PagePictures) -> str:
    title = f"{about}: learning curves"
    return pictures.draw_figure(title, draw_curves(record, curves, title))


def _draw_reliability(calibration: Record, about: str, pictures: PagePictures) -> str:
    title = f"{about}: calibration\nECE {100 * calibration['ece']:.2f} %"
    return pictures.draw_figure(title, draw_reliability(calibration, title))


def _robustness(experiment: Experiment, about: str, pictures: PagePictures) -> dict[str, Any] | None:
    from markupsafe import Markup

    found = find_robustness(experiment)
    if found is None:
        return None
    title = f"{about}: what it copes with"
    picture = Markup(pictures.draw_figure(title, draw_robustness(found, title))) if found.curves else None
    return {"parts": blocks(robustness_parts(found)), "picture": picture}


def _mistake_rows(mistakes: Sequence[WorstMistake], source: Source, num_sounds: int) -> list[dict[str, Any]]:
    rows = []
    for number, one in enumerate(mistakes):
        sound = source.sound(one.run, one.mistake.utterance) if number < num_sounds else None
        rows.append(
            {
                "mistake": one.mistake,
                "seeds": f"{one.num_wrong} of {one.num_seeds}" if one.num_seeds > 1 else "",
                "transcript": source.transcript(one.run, one.mistake.utterance),
                "sound": data_uri(*sound) if sound else None,
            }
        )
    return rows


def _representations(experiment: Experiment) -> list[dict[str, Any]]:
    """Pictures that `mertk plot` left in a run directory, those of the first run that has some."""
    for run in experiment.runs:
        found = [picture for projection in PROJECTIONS for picture in _pictures_of(run, projection)]
        if found:
            return found
    return []


def _pictures_of(run: ScoredRun, projection: str) -> Iterator[dict[str, Any]]:
    """The pictures of one projection."""
    record = run.directory / f"{projection}.json"
    if not record.is_file():
        return
    try:
        stages = read_json(record, dict[str, Any], "run mertk plot again").get("stages")
    except MertkError:
        return
    for stage in stages if isinstance(stages, dict) else ():
        picture = read_png(run.directory / picture_name(projection, stage)) if "/" not in stage else None
        if picture:
            told = [f"fold {run.about['fold']}, seed {run.about['seed']}", *_tell_apart(stages[stage])]
            called = PROJECTIONS[projection].called
            yield {"stage": stage, "called": called, "told": "; ".join(told), "picture": picture}


def _tell_apart(figures: Any) -> list[str]:
    """How far groups of representations are apart, as far as pca.json says so."""
    told = {"silhouette_by_name": "silhouette by representation", "silhouette_by_label": "by label"}
    known = {key: figures.get(key) for key in told} if isinstance(figures, dict) else {}
    return [f"{told[key]} {value:.3f}" for key, value in known.items() if isinstance(value, float)]
