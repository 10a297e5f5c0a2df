"""Bringing an exported directory to the Hugging Face hub: one commit, and nothing of others is replaced."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mertk.digests import digest_of
from mertk.encoders.weights import split_hub_id
from mertk.errors import MertkError
from mertk.run.exported import CARD, FILE, read_exported
from mertk.run.hub import PREFIX, is_offline, tell_refusal

if TYPE_CHECKING:
    from huggingface_hub import HfApi

#: what the hub itself puts into a new repository
_OF_THE_HUB = (".gitattributes",)


@dataclass(frozen=True)
class Repository:
    """Where on the hub.

    Attributes:
        name: owner/name.
        revision: a branch; None for the main one.
    """

    name: str
    revision: str | None = None

    def __str__(self) -> str:
        return f"{self.name}@{self.revision}" if self.revision else self.name


def find_repository(to: str, revision: str | None) -> Repository:
    """The repository that `hub:owner/name[@branch]` means; without an owner, that of the user.

    Raises:
        MertkError: no name that the hub could have, or nobody is logged in.
    """
    name, _, branch = to.removeprefix(PREFIX).partition("@")
    if branch and revision and branch != revision:
        raise MertkError(f"--to {to} and --revision {revision} are two branches; give one.")
    if name and "/" not in name:
        with _telling(name, "Nothing was sent."):
            name = f"{_api().whoami()['name']}/{name}"
    if split_hub_id(name) is None or name.startswith("."):
        raise MertkError(f"--to {to}: expected {PREFIX}OWNER/NAME, as the hub calls a model.")
    repository = Repository(name, branch or revision)
    if split_hub_id(str(repository)) is None:
        raise MertkError(f"{branch or revision!r}: no name of a branch; expected letters, digits and any of . _ - /.")
    return repository


def check_repository(repository: Repository, private: bool, overwrite: bool) -> list[str]:
    """Look at what there is, before anything is made; files of an earlier export, which are to go.

    Raises:
        MertkError: it holds files that no export made, a card that was edited, or everybody can see what shall be
            private; or the hub cannot be reached.
    """
    from huggingface_hub.errors import RepositoryNotFoundError, RevisionNotFoundError

    name, revision = repository.name, repository.revision
    with _telling(name, "Nothing was sent."):
        try:
            info = _api().repo_info(name)
        except RepositoryNotFoundError:
            return []
        if private and not info.private:
            raise MertkError(f"{PREFIX}{name} is there already and everybody can see it; make it private first.")
        try:
            files = _api().list_repo_files(name, revision=revision)
        except RevisionNotFoundError:  # a new branch begins as the main one
            files, revision = _api().list_repo_files(name), None
        own = [file for file in files if file not in _OF_THE_HUB]
        if FILE in own:
            earlier = read_exported(Path(_api().hf_hub_download(name, FILE, revision=revision)).parent)
            edited = CARD in own and _digest(name, revision) != earlier.card
            mine = {FILE, CARD, *earlier.files}
        else:
            edited, mine = own == [CARD], {CARD}
            if own and own != [CARD]:
                raise MertkError(
                    f"{PREFIX}{repository}: holds {len(own)} files that mertk export did not make ({own[0]}, ...); "
                    "give another name."
                )
    if edited and not overwrite:
        raise MertkError(
            f"{PREFIX}{repository}: its {CARD} is not as mertk export wrote it; --overwrite replaces it by a new one."
        )
    return sorted(mine & set(files) - {CARD, FILE})


def upload(directory: Path, repository: Repository, private: bool, stale: list[str]) -> str:
    """Make the repository, and the branch, where there is none, and one commit; the address of the model.

    Args:
        stale: files of an earlier export.

    Raises:
        MertkError: it was refused, or broke off; says how to go on.
    """
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete

    exported = read_exported(directory)
    files = [*exported.files, FILE, CARD]
    gone = [name for name in stale if name not in files]
    then = (
        "Run the same command again: what was sent is not sent twice, and others see nothing of it before it is "
        f"complete. Or write it with --to DIR, and later run `mertk export DIR --to {PREFIX}{repository}`."
    )
    with _telling(repository.name, then):
        api = _api()
        api.create_repo(repository.name, private=private or None, exist_ok=True)
        if repository.revision:
            api.create_branch(repository.name, branch=repository.revision, exist_ok=True)
        # Not upload_folder, which makes several commits of a large one.
        adding = [CommitOperationAdd(name, directory / name) for name in files]
        done = api.create_commit(
            repository.name,
            [*adding, *map(CommitOperationDelete, gone)],
            commit_message="Hand a model on with mertk export",
            revision=repository.revision,
        )
    return str(done.commit_url)


def _api() -> HfApi:
    from huggingface_hub import HfApi

    import mertk

    return HfApi(library_name="mertk", library_version=mertk.__version__)


def _digest(name: str, revision: str | None) -> str:
    return digest_of(Path(_api().hf_hub_download(name, CARD, revision=revision)))


@contextmanager
def _telling(name: str, then: str) -> Iterator[None]:
    """Errors of the hub in plain words, with what to do."""
    try:
        yield
    except MertkError:
        raise
    # Those of httpx have no base in common with those of the system.
    except Exception as error:
        if is_offline():
            raise MertkError(f"{PREFIX}{name}: HF_HUB_OFFLINE is set; unset it where there is a network.") from error
        if getattr(error, "response", None) is None and isinstance(error, (TypeError, AttributeError, KeyError)):
            raise  # a fault of ours
        raise MertkError(f"{PREFIX}{tell_refusal(error, name, None)} {then}") from error
