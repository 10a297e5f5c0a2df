"""A stand-in of the Hugging Face hub: as much of its HTTP API, on this machine, as up- and downloading a model takes.

It is no copy of the hub, only what huggingface_hub asks of one: repositories, branches, commits (files in the commit or
by Git LFS), and resolving. Whoever sends `TOKEN` owns everything; who sends none sees what is public.
"""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

import pytest

TOKEN = "hf_token_of_the_owner"


@dataclass
class Repository:
    """Files by commit, commits by branch."""

    private: bool = False
    gated: bool = False
    commits: dict[str, dict[str, bytes]] = field(default_factory=lambda: {"0" * 40: {".gitattributes": b""}})
    branches: dict[str, str] = field(default_factory=lambda: {"main": "0" * 40})

    def commit_of(self, revision: str) -> str | None:
        return self.branches.get(revision) or (revision if revision in self.commits else None)

    def add_commit(self, branch: str, files: dict[str, bytes]) -> str:
        commit = hashlib.sha1(repr((branch, len(self.commits), sorted(files))).encode()).hexdigest()
        self.commits[commit], self.branches[branch] = files, commit
        return commit


class StandIn:
    """The server, running in a thread from `with` on.

    Attributes:
        repositories: by owner/name.
        asked: method and path of every request.
        refuses: begins the path of requests that are answered with 500.
    """

    def __init__(self) -> None:
        self.repositories: dict[str, Repository] = {}
        self.objects: dict[str, bytes] = {}
        self.asked: list[str] = []
        self.refuses: str | None = None

    def __enter__(self) -> StandIn:
        handler = type("Handler", (_Handler,), {"hub": self})
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.address = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.server.server_close()

    def serve_this_process(self, patch: pytest.MonkeyPatch) -> None:
        """Let huggingface_hub take it for the hub, with the owner logged in."""
        constants = "huggingface_hub.constants"
        patch.setattr(f"{constants}.ENDPOINT", self.address)
        template = self.address + "/{repo_id}/resolve/{revision}/{filename}"
        patch.setattr(f"{constants}.HUGGINGFACE_CO_URL_TEMPLATE", template)
        patch.setattr(f"{constants}.HF_HUB_OFFLINE", False)
        patch.setattr(f"{constants}.HF_HUB_DISABLE_XET", True)
        patch.setattr("huggingface_hub.utils._http.time.sleep", lambda _: None)  # between its tries
        patch.setenv("HF_TOKEN", TOKEN)
        for name in ("NO_PROXY", "no_proxy"):
            patch.setenv(name, "127.0.0.1")

    def files(self, name: str, branch: str = "main") -> dict[str, bytes]:
        repository = self.repositories[name]
        return repository.commits[repository.branches[branch]]


class _Handler(BaseHTTPRequestHandler):
    hub: StandIn

    def log_message(self, *_: object) -> None:
        pass

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def do_PUT(self) -> None:
        self._answer()

    def _answer(self) -> None:
        self.body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        path = unquote(urlsplit(self.path).path).strip("/")
        self.hub.asked.append(f"{self.command} {path}")
        if self.hub.refuses and path.startswith(self.hub.refuses):
            return self._send(500, {"error": "the disk of the hub is full"})
        words = path.split("/")
        if words[0] == "upload":
            self.hub.objects[words[1]] = self.body
            return self._send(200, {})
        if path == "api/whoami-v2":
            return self._send(200, {"name": "owner", "type": "user"}) if self._is_owner() else self._send(401, {})
        if path == "api/repos/create":
            return self._create()
        if path == "api/validate-yaml":
            wrong = "library_name: mertk" not in json.loads(self.body)["content"].split("---")[1]
            return self._send(400 if wrong else 200, {"errors": [], "warnings": []})
        name = "/".join(words[2:4] if words[0] == "api" else words[:2]).removesuffix(".git")
        repository = self.hub.repositories.get(name)
        if repository is None or (repository.private and not self._is_owner()):
            return self._refuse(404, "RepoNotFound")
        if self.command == "POST" and not self._is_owner():
            return self._send(403, {"error": "you may not write here"})
        if repository.gated and words[0] != "api" and not self._is_owner():
            return self._refuse(403, "GatedRepo")
        return self._of_repository(name, repository, words)

    def _of_repository(self, name: str, repository: Repository, words: list[str]) -> None:
        if words[0] != "api":
            return self._batch() if words[-1] == "batch" else self._resolve(repository, words[3], "/".join(words[4:]))
        what, revision = (words[4], "/".join(words[5:])) if len(words) > 4 else ("revision", "main")
        if what == "branch":
            if revision in repository.branches:
                return self._send(409, {"error": "there already"})
            repository.branches[revision] = repository.branches["main"]
            return self._send(200, {})
        if what == "preupload":
            files = json.loads(self.body)["files"]
            modes = [(one["path"], "lfs" if one["path"].endswith(".safetensors") else "regular") for one in files]
            told = [{"path": path, "uploadMode": mode, "shouldIgnore": False} for path, mode in modes]
            return self._send(200, {"files": told})
        commit = repository.commit_of(revision.partition("?")[0])
        if commit is None:
            return self._refuse(404, "RevisionNotFound")
        if what == "commit":
            return self._commit(name, repository, revision)
        files = repository.commits[commit]
        if what == "tree":
            told = [{"type": "file", "path": path, "size": len(one), "oid": _etag(one)} for path, one in files.items()]
            return self._send(200, told)
        siblings = [{"rfilename": path} for path in files]
        about = {"id": name, "sha": commit, "private": repository.private, "siblings": siblings, "tags": []}
        return self._send(200, about)

    def _create(self) -> None:
        if not self._is_owner():
            return self._send(401, {"error": "Invalid username or password."})
        wanted = json.loads(self.body)
        name = f"{wanted.get('organization') or 'owner'}/{wanted['name']}"
        if name in self.hub.repositories:
            return self._send(
                409, {"url": f"{self.hub.address}/{name}", "error": "You already created this model repo"}
            )
        self.hub.repositories[name] = Repository(wanted.get("visibility") == "private" or bool(wanted.get("private")))
        return self._send(200, {"url": f"{self.hub.address}/{name}", "name": name, "id": name})

    def _commit(self, name: str, repository: Repository, branch: str) -> None:
        files = dict(repository.commits[repository.branches[branch]])
        for line in map(json.loads, self.body.splitlines()):
            value = line["value"]
            if line["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif line["key"] == "lfsFile":
                files[value["path"]] = self.hub.objects[value["oid"]]
            elif line["key"] == "deletedFile":
                del files[value["path"]]
        commit = repository.add_commit(branch, files)
        address = f"{self.hub.address}/{name}/commit/{commit}"
        self._send(200, {"success": True, "commitOid": commit, "commitUrl": address, "hookOutput": ""})

    def _batch(self) -> None:
        found = []
        for one in json.loads(self.body)["objects"]:
            there = one["oid"] in self.hub.objects
            upload = {"upload": {"href": f"{self.hub.address}/upload/{one['oid']}"}}
            found.append(one if there else one | {"actions": upload})
        self._send(200, {"transfer": "basic", "objects": found})

    def _resolve(self, repository: Repository, revision: str, file: str) -> None:
        commit = repository.commit_of(revision)
        if commit is None:
            return self._refuse(404, "RevisionNotFound")
        content = repository.commits[commit].get(file)
        if content is None:
            return self._refuse(404, "EntryNotFound", {"X-Repo-Commit": commit})
        headers = {"ETag": f'"{_etag(content)}"', "X-Repo-Commit": commit, "Accept-Ranges": "bytes"}
        return self._send(200, content, headers)

    def _is_owner(self) -> bool:
        return self.headers.get("Authorization") == f"Bearer {TOKEN}"

    def _refuse(self, status: int, code: str, headers: dict[str, str] | None = None) -> None:
        self._send(status, {"error": code}, {"X-Error-Code": code} | (headers or {}))

    def _send(self, status: int, content: object, headers: dict[str, str] | None = None) -> None:
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


def _etag(content: bytes) -> str:
    return hashlib.sha1(content).hexdigest()
