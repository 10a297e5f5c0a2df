"""The model card: README.md with the metadata that the hub reads (`huggingface_hub.ModelCard`)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import mertk
from mertk.features.registry import can_be_made
from mertk.handover.card_figures import Figures, eval_results, figures_text
from mertk.handover.card_graph import in_words, tell_graph, use_of_graph
from mertk.handover.impersonal import without_paths
from mertk.handover.licences import licence_of_encoder, terms_of_corpus
from mertk.metrics.catalogue import LABEL_RANGES
from mertk.report.formatting import Table, join_paragraphs, pairs
from mertk.report.origin import configuration_lines, data_lines
from mertk.run.intakes import intakes_of
from mertk.tasks import find_task

if TYPE_CHECKING:
    from huggingface_hub import ModelCard, ModelCardData

    from mertk.handover.encoders import UsedEncoder
    from mertk.handover.members import Chosen
    from mertk.handover.package import Package
    from mertk.handover.wishes import Wishes
    from mertk.run.intakes import Intake
    from mertk.training.model_directory import SavedModel

TEMPLATE = Path(__file__).parent / "templates" / "model_card.jinja"

NOT_NAMED = "not named by whoever handed the model on"
#: what people must know of any model of this kind
LIMITS = (
    "It names a category that annotators agreed on, or a number that they gave, not what somebody feels.",
    "Do not use it to judge people: not in hiring, school, policing or medicine, nor without their knowledge.",
    "It was measured on people, languages, rooms and devices of its corpus alone; on others it does worse, and nobody "
    "has measured how much, unless it says so here.",
    "A corpus of actors, or of talk that was invented, does not sound like daily life.",
    "It is meant for research on emotion recognition, and for comparison with other methods.",
)


def make_card(name: str, package: Package, chosen: Chosen, figures: Figures, wishes: Wishes) -> ModelCard:
    """The card of what was written.

    Args:
        name: by which the model is loaded, a folder or an id of the hub.
    """
    from huggingface_hub import ModelCard

    saved, record = package.saved, figures.own
    corpus = _corpus_of(record, chosen)
    values: dict[str, Any] = {
        "title": _title(name),
        "banner": _banner(saved.info),
        "summary": _summary(saved, chosen),
        **(use_of_graph(name, package.graphs) if package.graphs else _use(name, saved, package)),
        "graph": tell_graph(package.graphs) if package.graphs else "",
        "figures": figures_text(figures, chosen),
        "data": _data(record, corpus, saved.info, wishes),
        "encoders": _encoders(package.encoders),
        "answers": _answers(saved),
        "limits": join_paragraphs([f"- {line}" for line in LIMITS]),
        "origin": join_paragraphs([f"- {line}" for line in _origin(record, saved)]),
    }
    data = _metadata(name, saved, package.encoders, figures, corpus, wishes)
    return ModelCard.from_template(data, template_path=str(TEMPLATE), **without_paths_in_text(values))


def without_paths_in_text(values: Mapping[str, Any]) -> dict[str, Any]:
    """The parts of the card, with names of this machine's folders cut down; commands stay as they are."""
    kept = ("python", "shell", "title")
    return {name: value if name in kept else without_paths(value) for name, value in values.items()}


def _metadata(
    name: str, saved: SavedModel, encoders: Sequence[UsedEncoder], figures: Figures, corpus: str, wishes: Wishes
) -> ModelCardData:
    from huggingface_hub import ModelCardData

    modalities = list(saved.config.data.inputs)
    title = terms_of_corpus(corpus).title
    ids = [one.weights.partition("@")[0] for one in encoders if "/" in one.weights]
    is_miniature = saved.info["miniature"]
    results = eval_results(figures.own, title, modalities)
    extra = ["onnx"] * (wishes.kind == "onnx") + ["miniature"] * is_miniature
    return ModelCardData(
        library_name="mertk",
        license=wishes.licence,
        tags=["mertk", "emotion-recognition", *modalities, *extra],
        base_model=list(dict.fromkeys(ids)) or None,
        model_name=_title(name),
        eval_results=results,
    )


def _title(name: str) -> str:
    """The name of a folder, or of a model of the hub without owner and revision."""
    return Path(name).name.partition("@")[0]


def _banner(info: Mapping[str, Any]) -> str:
    if not info["miniature"]:
        return ""
    what = ", ".join(info.get("invented") or ["corpus"])
    return (
        f"MINIATURE. This model was trained on invented data or weights ({what}). It shows that the code works. Its "
        "answers mean nothing, and its figures say nothing about people."
    )


def _summary(saved: SavedModel, chosen: Chosen) -> str:
    run, info = saved.config.run, saved.info
    modalities = list(saved.config.data.inputs)
    tells = find_task(info["task"]).summary(info["classes"])
    variant = f", variant {run.variant}" + (f", ablation {run.ablation}" if run.ablation != "full" else "")
    method = f"{type(saved.model).__name__} (recipe {run.recipe}{variant})"
    return f"{method}: takes {in_words(modalities)} of one speaker and tells {tells}. Handed on: {chosen.how}."


def _use(name: str, saved: SavedModel, package: Package) -> dict[str, str]:
    """Three lines of Python and one of shell."""
    modalities = list(saved.config.data.inputs)
    component = saved.config.model["component"]
    module = component.rpartition(".")[0]
    is_own = not component.startswith("mertk.")
    unmade = [one.modality for one in intakes_of(saved) if not _is_of_recordings(one)]
    after = []
    if is_own:
        after.append(f"The class of the model, `{component}`, is not mertk's: whoever loads it needs its module.")
    if unmade:
        given = "{" + ", ".join(f'"{one}": {one}' for one in modalities) + "}"
        after.append(
            f"Its {in_words(unmade)} features come from files or code whose extractors mertk does not have: it takes "
            "arrays (frames, features) such as those of the corpus, and no recordings."
        )
    else:
        file = "recording.mp4" if "video" in modalities else "recording.wav"
        given = f'"{file}"' + (', text="what is said in it"' if "text" in modalities else "")
    apart = [f"`{one.weights}` ({one.modality})" for one in package.encoders if one.where == "apart" and one.weights]
    if apart and not unmade:
        after.append(
            f"It needs {in_words(apart)}, fetched from the hub where that is an id, and held against the fingerprint "
            "below; where it lies elsewhere, say so (`--speech`, `--clip`, `--bert`; `speech=`, `clip=`, `bert=`)."
        )
    trust, trusted = (f', trust="{module}"', ["--trust", module]) if is_own else ("", [])
    said = ["--text", '"what is said in it"'] if "text" in modalities else []
    return {
        "python": f'import mertk\n\npredictor = mertk.load("{name}"{trust})\nprint(predictor.predict({given}))',
        "shell": "" if unmade else " ".join(["mertk", "predict", "--model", name, *trusted, *said, file]),
        "before_use": f"With mertk {mertk.__version__} or newer:",
        "after_use": " ".join(after),
    }


def _is_of_recordings(intake: Intake) -> bool:
    """Whether mertk can make of a recording what a model takes of one modality."""
    return intake.is_of_recordings and (intake.record is None or can_be_made(intake.record["extractor"]))


def _corpus_of(record: Mapping[str, Any] | None, chosen: Chosen) -> str:
    """What corpus.json called the corpus; empty where nobody noted it."""
    from mertk.run.files import read_object

    if record is not None and record["corpus"]:
        return str(record["corpus"][0].get("corpus", ""))
    runs = [member.run for member in chosen.members if member.run]
    corpus = read_object(runs[0] / "environment.json").get("corpus") if runs else None
    return str(corpus.get("corpus", "")) if isinstance(corpus, dict) else ""


def _data(record: Mapping[str, Any] | None, corpus: str, info: Mapping[str, Any], wishes: Wishes) -> str:
    terms = terms_of_corpus(corpus, wishes.corpus_licence)
    parts = [f"Corpus: {terms.title or 'not recorded'}."]
    if any(what.partition(" of ")[0] in ("recordings", "features") for what in info.get("invented") or ()):
        parts.append("It is an invented miniature of it; no recording of the corpus was used.")
    else:
        parts.append(f"Licence of the corpus: {terms.licence or NOT_NAMED}.")
    parts.append(
        f"Licence of these weights: {wishes.licence or NOT_NAMED}. A licence of the "
        "corpus or of an encoder may bind those who use the weights."
    )
    if record is not None:
        parts += [f"- {line}" for line in data_lines(record)]
    return join_paragraphs(parts)


def _encoders(encoders: Sequence[UsedEncoder]) -> str:
    if not encoders:
        return "None: the model takes what a recording holds, and was trained from nothing."
    places = {"apart": "not in here", "copied": "copied, unchanged", "inside": "inside the model"}
    rows = []
    for one in encoders:
        licence = licence_of_encoder(one.weights) if one.weights else None
        told = licence or (
            f"see its page, {one.weights}" if "/" in one.weights else "not known" if one.weights else "-"
        )
        changed = ", fine-tuned" if one.is_trained else ""
        where = places[one.where] + changed if one.weights else "computed, no weights"
        known = one.fingerprint[:16] if one.weights else ""
        rows.append([one.modality, one.kind, one.weights or "-", known or "-", where, told])
    header = ["modality", "made by", "weights", "fingerprint", "where", "licence"]
    return str(Table(header, rows, text_columns=len(header)))


def _answers(saved: SavedModel) -> str:
    info = saved.info
    if find_task(info["task"]).has_numbers:
        ends = LABEL_RANGES.get(info.get("metrics"))
        return f"One number, as the corpus scales it{f', from {ends[0]:g} to {ends[1]:g}' if ends else ''}."
    rows = [[number, name] for number, name in enumerate(info["classes"])]
    label_map = info.get("label_map")
    mapped = f" Labels of the corpus became classes by the label map {label_map}." if label_map else ""
    return join_paragraphs([f"A probability of each class.{mapped}", Table(["output", "class"], rows, text_columns=2)])


def _origin(record: Mapping[str, Any] | None, saved: SavedModel) -> Iterator[str]:
    if record is not None:
        yield from configuration_lines(record)
        yield f"commit: {', '.join(map(str, record['commit']))}"
        yield from (f"versions: {pairs(versions)}" for versions in record["versions"])
        yield f"parameters: {', '.join(f'{number:,}' for number in record['num_parameters'])}"
    else:
        yield f"commit: {saved.info.get('commit', 'not recorded')}"
    yield f"handed on by mertk {mertk.__version__}; config.yaml has every setting, model.json what features are made of"
