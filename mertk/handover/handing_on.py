"""Models of an experiment to a directory, or to the hub."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

from mertk.atomic import building
from mertk.digests import digest_of
from mertk.errors import MertkError
from mertk.handover.card import make_card
from mertk.handover.card_figures import find_figures
from mertk.handover.impersonal import check_impersonal
from mertk.handover.members import Chosen, choose_members
from mertk.handover.package import write_package
from mertk.handover.upload import check_repository, find_repository, upload
from mertk.handover.wishes import Wishes
from mertk.run.exported import CARD, FILE, Exported, describe_files, is_exported, read_exported
from mertk.run.hub import PREFIX

Say = Callable[[str], None]


def hand_on(
    path: Path, to: str, wishes: Wishes, private: bool = False, revision: str | None = None, say: Say = print
) -> str:
    """Write models as a directory that others can load, or bring them to the hub; what to load them by.

    Args:
        path: an experiment, a run, a model directory, or, for the hub, what was exported before.
        to: a directory, or `hub:owner/name`.
        private: of a new repository on the hub; `revision`: a branch there.
        say: tells what is written, and what is to be known of it.

    Raises:
        MertkError: no such model, a place that is in use, or that is refused; nothing is left half-written.
    """
    if to.startswith(PREFIX):
        return _to_hub(path, to, wishes, private, revision, say)
    if private or revision:
        raise MertkError(f"--private and --revision are of the hub, and --to {to} is a directory.")
    if is_exported(path):
        raise MertkError(f"{path} is exported already; copy the folder, or give --to {PREFIX}OWNER/NAME.")
    target = Path(to)
    chosen = choose_members(path, wishes.run)
    owned = _check_target(target, chosen, wishes.overwrite)
    with building(target, replaces=owned) as folder:
        _write(folder, target.resolve().name, chosen, wishes, say)
    say(f"written: {target}")
    return str(target)


def _to_hub(path: Path, to: str, wishes: Wishes, private: bool, revision: str | None, say: Say) -> str:
    repository = find_repository(to, revision)
    if is_exported(path) and wishes != Wishes(overwrite=wishes.overwrite):
        raise MertkError(
            f"{path} is exported already, and is sent as it is; only --private, --revision and --overwrite go with it. "
            "Edit its card, or export the experiment again."
        )
    chosen = None if is_exported(path) else choose_members(path, wishes.run)
    stale = check_repository(repository, private, wishes.overwrite)
    if chosen is None:
        read_exported(path).check_whole(path)
        address = upload(path, repository, private, stale)
    else:
        with tempfile.TemporaryDirectory(prefix="mertk_export_") as made:
            _write(Path(made), str(repository), chosen, wishes, say)
            address = upload(Path(made), repository, private, stale)
    say(f"uploaded: {address}")
    return str(repository)


def _write(folder: Path, name: str, chosen: Chosen, wishes: Wishes, say: Say) -> None:
    """All files of an export, into an empty folder."""
    if chosen.unfinished:
        say(f"note: {len(chosen.unfinished)} runs are not finished and left out, such as {chosen.unfinished[0]}")
    say(f"handed on: {chosen.how}")
    package = write_package(folder, chosen.members, wishes)
    card = make_card(name, package, chosen, find_figures(chosen), wishes)
    card.save(folder / CARD)
    content = Exported(wishes.kind, package.models, package.features, digest_of(folder / CARD), describe_files(folder))
    text = json.dumps(content.as_dict(), indent=2, ensure_ascii=False)
    (folder / FILE).write_text(text + "\n", encoding="utf-8")
    check_impersonal(folder, package.folders)
    if not (wishes.licence and (wishes.corpus_licence or "Licence of the corpus: not named" not in card.text)):
        say(f"note: {CARD} says where a licence is not named (--licence, --corpus_licence)")
    for warning in package.warnings:
        say(f"note: {warning}")


def _check_target(target: Path, chosen: Chosen, overwrite: bool) -> list[str]:
    """Entries of an earlier export that are replaced.

    Raises:
        MertkError: there is something that no export made, or a card that was edited.
    """
    for member in chosen.of:
        above = member.run.resolve().parents[2] if member.run and member.name.startswith("fold_") else member.directory
        if target.resolve() == above or above.resolve() in target.resolve().parents:
            raise MertkError(f"--to {target}: lies in {above}, whose reports would take it for a run; choose another.")
    if os.path.lexists(target) and not target.is_dir():
        raise MertkError(f"--to {target}: no directory; choose another name.")
    entries = [path for path in target.iterdir() if path.name != ".building"] if target.is_dir() else []
    if not entries:
        return []
    if not is_exported(target):
        raise MertkError(
            f"--to {target}: holds {entries[0].name}, and mertk export did not make it; choose a new directory."
        )
    earlier = read_exported(target)
    card = target / CARD
    if card.is_file() and digest_of(card) != earlier.card and not overwrite:
        raise MertkError(f"{card} was edited since it was written; --overwrite replaces it by a new one.")
    return sorted({CARD, FILE, *(name.partition("/")[0] for name in earlier.files)})
