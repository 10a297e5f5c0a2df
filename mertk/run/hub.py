"""Models of the Hugging Face hub: fetched file by file, as their export.json names them, and nothing of them is run.

What was fetched stays in the cache of huggingface_hub, from which it is read where the hub cannot be reached. Which
commit a name stands for is asked of the hub each time; `owner/name@COMMIT` needs no asking.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from mertk.encoders.weights import split_hub_id
from mertk.errors import MertkError, first_line
from mertk.run.exported import FILE, Exported, read_exported

PREFIX = "hub:"


@dataclass(frozen=True)
class HubModel:
    """A model of the hub, in the cache.

    Attributes:
        directory: with the files that `exported` names.
        commit: of the repository.
    """

    directory: Path
    commit: str
    exported: Exported


def may_be_on_hub(name: str) -> bool:
    """Whether `name` could be `owner/model` or `owner/model@revision`, and is no path such as ./model."""
    return split_hub_id(name) is not None and not name.startswith(".")


def fetch_model(name: str) -> HubModel:
    """A model of the hub, whole.

    Args:
        name: `owner/model` or `owner/model@revision`.

    Raises:
        MertkError: no such model or revision, no permission, no network and nothing in the cache, or no model of mertk.
    """
    if not may_be_on_hub(name):
        raise MertkError(f"{PREFIX}{name}: expected owner/name or owner/name@revision, as the hub calls a model.")
    first = _fetch_file(name, FILE, None)
    directory = first.parent
    # What the branch is may change between two files: the others are asked of the same commit.
    commit = directory.name
    exported = read_exported(directory)
    exported.check_usable(name)
    for file in exported.files:
        _fetch_file(name, file, commit)
    exported.check_whole(directory)
    return HubModel(directory, commit, exported)


def is_in_cache(name: str) -> bool:
    """Whether the cache has something of a model of the hub; the network is not asked."""
    from huggingface_hub import constants
    from huggingface_hub.file_download import repo_folder_name

    repository, _ = split_hub_id(name)
    return Path(constants.HF_HUB_CACHE, repo_folder_name(repo_id=repository, repo_type="model")).is_dir()


def _fetch_file(name: str, file: str, commit: str | None) -> Path:
    from huggingface_hub import HfApi
    from huggingface_hub.errors import LocalEntryNotFoundError

    repository, revision = split_hub_id(name)
    try:
        return Path(HfApi().hf_hub_download(repository, file, revision=commit or revision))
    except LocalEntryNotFoundError as error:
        raise MertkError(_tell_unreachable(name, error)) from error
    # httpx, its errors among others, has no base in common with those of the system.
    except Exception as error:
        if isinstance(error, OSError) and error.errno is not None and not _is_of_network(error):
            raise  # a full disk
        raise MertkError(tell_refusal(error, repository, commit or revision, file)) from error


def tell_refusal(error: Exception, repository: str, revision: str | None, file: str | None = None) -> str:
    """What an error of the hub means, and what to do."""
    from huggingface_hub import errors

    told = getattr(error, "server_message", None) or first_line(error)
    if isinstance(error, errors.GatedRepoError):
        return f"{repository}: its owner decides who may have it; ask on its page of the hub, then {_log_in()}."
    if isinstance(error, errors.RepositoryNotFoundError):
        return (
            f"{repository}: the hub has no such model, or it is private (and no folder here has the name); look at the "
            f"spelling, or {_log_in()}."
        )
    if isinstance(error, errors.HFValidationError):
        return f"{repository}: no name of a model of the hub ({told.rstrip('.')}); look at the spelling."
    if isinstance(error, errors.RevisionNotFoundError):
        return f"{repository}: no revision {revision!r} on the hub; give a branch, a tag or a commit that there is."
    if isinstance(error, errors.EntryNotFoundError):
        which = f"revision {revision}" if revision else "its newest revision"
        if file == FILE:
            return f"{repository}: no model that mertk export made: {which} has no {FILE}."
        return f"{repository}: {which} lacks {file}, which its {FILE} names; tell its owner to export it again."
    status = getattr(getattr(error, "response", None), "status_code", None)
    if status in (401, 403):
        return f"{repository}: the hub does not permit it ({told}); {_log_in()}."
    return f"{repository}: the hub cannot be used ({told}); try again later."


def _log_in() -> str:
    return "log in (`hf auth login`, or HF_TOKEN with a token that may)"


def _tell_unreachable(name: str, error: Exception) -> str:
    offline = is_offline()
    why = "HF_HUB_OFFLINE is set" if offline else f"the hub cannot be reached ({_reason(error)})"
    then = "unset it" if offline else "try again when there is a network"
    return (
        f"{name}: no folder here, the hub's local cache has no complete copy, and {why}; {then}, or copy the "
        "folder from a machine that has it."
    )


def _reason(error: BaseException) -> str:
    """The first thing that went wrong."""
    while error.__cause__ is not None:
        error = error.__cause__
    return first_line(error)


def is_offline() -> bool:
    """Whether huggingface_hub is told to ask no network."""
    from huggingface_hub import constants

    return bool(constants.HF_HUB_OFFLINE)


def _is_of_network(error: OSError) -> bool:
    return isinstance(error, ConnectionError) or hasattr(error, "response")
