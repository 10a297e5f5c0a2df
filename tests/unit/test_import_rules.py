"""Who may import whom: `bin -> run -> training -> models.base <- models -> losses, nn -> distributed, batch`.

Tasks stand below the data: what a label is they alone know.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from tests.heavy_packages import HEAVY

ROOT = Path(__file__).resolve().parents[2]

#: small helpers that anything may use
SMALL = {
    "mertk",
    "mertk.numerics",
    "mertk.atomic",
    "mertk.atomic.directories",
    "mertk.atomic.files",
    "mertk.batch",
    "mertk.caches",
    "mertk.cli",
    "mertk.content",
    "mertk.digests",
    "mertk.dotted_keys",
    "mertk.errors",
    "mertk.installing",
    "mertk.joining",
    "mertk.journal",
    "mertk.file_names",
    "mertk.library_warnings",
    "mertk.parser",
    "mertk.progress_bar",
    "mertk.screen",
    "mertk.screen_log",
    "mertk.spelling",
    "mertk.veiling",
}

#: of the report, what writes tables and draws pictures whatever is told in them
WRITING = ("figures", "formatting", "plots", "predictions")

#: what the modules of a package may import from the project, besides SMALL and themselves
ALLOWED = {
    "mertk.nn": {"mertk.distributed"},
    "mertk.losses": {"mertk.distributed", "mertk.nn"},
    "mertk.models": {"mertk.distributed", "mertk.nn", "mertk.losses"},
    "mertk.encoders": {"mertk.distributed", "mertk.nn", "mertk.data"},
    "mertk.data": {"mertk.metrics", "mertk.processes", "mertk.tasks"},
    "mertk.config": set(),
    "mertk.metrics": set(),
    "mertk.tasks": {"mertk.metrics", "mertk.data.labels", *(f"mertk.report.{name}" for name in WRITING)},
    "mertk.features": {
        "mertk.components",
        "mertk.config",
        "mertk.data",
        "mertk.distributed",
        "mertk.encoders",
        "mertk.processes",
    },
    "mertk.report": {
        "mertk.data.audit",
        "mertk.metrics",
        "mertk.run.clusters",
        "mertk.run.conditions",
        "mertk.run.files",
        "mertk.run.group_columns",
        "mertk.tasks",
    },
    "mertk.jobs": set(),
    "mertk.checkup": {
        "mertk.data",
        "mertk.config",
        "mertk.training.configured_classes",
        "mertk.encoders",
        "mertk.features",
    },
    "mertk.training": {
        "mertk.models.base",
        "mertk.components",
        "mertk.config",
        "mertk.data",
        "mertk.distributed",
        "mertk.processes",
        "mertk.provenance",
        "mertk.tasks",
    },
    "mertk.run": {
        "mertk.training",
        "mertk.models.base",
        "mertk.components",
        "mertk.config",
        "mertk.data",
        "mertk.distributed",
        "mertk.encoders",
        "mertk.features",
        "mertk.jobs",
        "mertk.nn",
        "mertk.provenance",
        "mertk.tasks",
    },
    "mertk.handover": {
        "mertk.components",
        "mertk.config",
        "mertk.data",
        "mertk.encoders",
        "mertk.features",
        "mertk.metrics",
        "mertk.report",
        "mertk.run",
        "mertk.tasks",
        "mertk.training",
    },
    "mertk.api": {
        "mertk.config",
        "mertk.data",
        "mertk.features",
        "mertk.handover",
        "mertk.models.base",
        "mertk.report",
        "mertk.run",
    },
    "mertk.demo": {"mertk.data", "mertk.metrics", "mertk.report", "mertk.run", "mertk.tasks"},
    "mertk.bin": {
        "mertk.run",
        "mertk.demo",
        "mertk.command",
        "mertk.completion",
        "mertk.components",
        "mertk.checkup",
        "mertk.config",
        "mertk.data",
        "mertk.features",
        "mertk.data_prep",
        "mertk.handover",
        "mertk.jobs",
        "mertk.report",
        "mertk.tasks",
        "mertk.training.configured_classes",
        "mertk.training.signals",
    },
    "mertk.data_prep": {
        "mertk.checkup.finding",
        "mertk.components",
        "mertk.config.merging",
        "mertk.data",
        "mertk.encoders",
        "mertk.features",
        "mertk.metrics",
        "mertk.processes",
        "mertk.tasks",
    },
}
#: never, in addition
FORBIDDEN = {
    "mertk": {"data_prep", "recipes", "tests"},  # data_prep is mertk.data_prep by its short name
    "mertk.nn": {"accelerate"},
    "mertk.losses": {"accelerate"},
    "mertk.models": {"accelerate"},
    "mertk.features": {"accelerate"},
    "mertk.data_prep": {"accelerate"},
}


#: corpora, which only data_prep and recipes know
CORPORA = re.compile(r"iemocap|mosi|mosei|sims|ravdess|crema-?d|meld", re.IGNORECASE)
#: where their names may stand: examples of programs, sets of metrics that are called after them, and names of files
MAY_NAME_CORPORA = ("mertk.bin", "mertk.metrics", "mertk.data_prep", "mertk.recipes")
NAME_OF_FILE = re.compile(r"\S+/\S+")


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@cache
def imports(path: Path) -> list[tuple[int, str, bool]]:
    """Line, module and whether it runs when the module is imported, of every import; type checking aside."""
    tree = ast.parse(path.read_text(encoding="utf-8"), str(path))
    found: list[tuple[int, str, bool]] = []

    def visit(node: ast.AST, at_top: bool) -> None:
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            for child in node.orelse:
                visit(child, at_top)
            return
        if isinstance(node, ast.Import):
            found.extend((node.lineno, alias.name, at_top) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: relative import"
            for alias in node.names:
                # `from mertk import atomic` names a module, `from mertk.atomic import replacing` does not.
                longer = f"{node.module}.{alias.name}"
                is_module = (ROOT / longer.replace(".", "/")).with_suffix(".py").exists()
                found.append((node.lineno, longer if is_module else str(node.module), at_top))
        inner = at_top and not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))
        for child in ast.iter_child_nodes(node):
            visit(child, inner)

    visit(tree, True)
    return found


def is_below(module: str, packages: set[str]) -> bool:
    """Whether `module` is one of the packages or inside one."""
    return any(module == package or module.startswith(package + ".") for package in packages)


def files_below(package: str) -> list[Path]:
    found = sorted((ROOT / package.replace(".", "/")).rglob("*.py"))
    assert found, f"no file of {package} found; has it moved?"
    return found


def problems_of(package: str) -> list[str]:
    allowed = ALLOWED.get(package)
    forbidden = FORBIDDEN.get(package, set()) | (FORBIDDEN["mertk"] if package.startswith("mertk") else set())
    problems = []
    for path in files_below(package):
        for line, module, _ in imports(path):
            own = is_below(module, {package}) or module in SMALL
            from_project = is_below(module, {"mertk", "data_prep", "recipes", "tests"})
            wrong = from_project and not own and allowed is not None and not is_below(module, allowed)
            if wrong or is_below(module, forbidden):
                problems.append(f"{path.relative_to(ROOT)}:{line}: {package} must not import {module}")
    return problems


@pytest.mark.parametrize("package", sorted(ALLOWED))
def test_package_imports_only_what_it_may(package):
    assert problems_of(package) == []


def test_the_rules_are_those_that_contributors_read():
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(?:mertk/)?(\w+)` \| (.*) \|$", text, re.MULTILINE)
    told = {f"mertk.{name}": {f"mertk.{other}" for other in re.findall(r"`([\w.]+)`", cell)} for name, cell in rows}
    assert told == ALLOWED


def test_library_never_imports_what_is_built_on_it():
    assert problems_of("mertk") == []


def test_only_commands_and_programs_know_how_data_are_prepared():
    allowed = {ROOT / "mertk/command.py", *(ROOT / "mertk/bin").glob("*.py"), *(ROOT / "mertk/data_prep").rglob("*.py")}
    found = [
        f"{path.relative_to(ROOT)}:{line}: {module}"
        for path in set((ROOT / "mertk").rglob("*.py")) - allowed
        for line, module, _ in imports(path)
        if is_below(module, {"mertk.data_prep"})
    ]
    assert found == []


def test_functions_take_plain_arguments():
    """What a program was given ends in its parser; nothing below takes a namespace of argparse."""
    parsers = {ROOT / "mertk" / f"{name}.py" for name in ("cli", "command", "completion", "parser")}
    allowed = parsers | {*(ROOT / "mertk/bin").glob("*.py"), *(ROOT / "mertk/data_prep").rglob("*.py")}
    found = [
        f"{path.relative_to(ROOT)}:{line}"
        for path in set((ROOT / "mertk").rglob("*.py")) - allowed
        for line, module, _ in imports(path)
        if module == "argparse"
    ]
    assert found == []


def words_of(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Line and text of every name and string of a module but documentation, names of files taken out."""
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    bodies = (node.body for node in ast.walk(tree) if isinstance(node, documented))
    documentation = {id(body[0].value) for body in bodies if body and isinstance(body[0], ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in documentation:
            yield node.lineno, NAME_OF_FILE.sub("", node.value)
        for field in ("id", "attr", "arg", "name"):
            if isinstance(getattr(node, field, None), str):
                yield getattr(node, "lineno", 0), getattr(node, field)


def corpora_named_in(package: str) -> list[str]:
    return [
        f"{path.relative_to(ROOT)}:{line}: {text}"
        for path in files_below(package)
        if not is_below(module_name(path), set(MAY_NAME_CORPORA))
        for line, text in words_of(ast.parse(path.read_text(encoding="utf-8")))
        if CORPORA.search(text)
    ]


def test_library_knows_no_corpus():
    assert corpora_named_in("mertk") == []


def test_modules_of_the_project_that_are_imported_exist():
    """Imports inside functions would fail only when the function runs."""
    found = []
    for package in ("mertk", "mertk.data_prep"):
        for path in files_below(package):
            for line, module, _ in imports(path):
                place = ROOT / module.replace(".", "/")
                known = place.with_suffix(".py").exists() or (place / "__init__.py").exists()
                if is_below(module, {"mertk"}) and not known:
                    found.append(f"{path.relative_to(ROOT)}:{line}: no module {module}")
    assert found == []


@pytest.mark.parametrize(
    "package",
    [
        *(
            "mertk.api",
            "mertk.bin",
            "mertk.checkup",
            "mertk.data",
            "mertk.demo",
            "mertk.features",
            "mertk.handover",
            "mertk.jobs",
            "mertk.report",
            "mertk.run",
            "mertk.tasks",
        ),
        "mertk.data_prep",
    ],
)
def test_heavy_packages_are_imported_late(package):
    found = [
        f"{path.relative_to(ROOT)}:{line}: {module} at the top"
        for path in files_below(package)
        for line, module, at_top in imports(path)
        if at_top and is_below(module, HEAVY)
    ]
    assert found == []


def test_tasks_can_be_imported_first():
    """What they import when they are imported must not import them: not even by way of a package."""
    top = {module for path in files_below("mertk.tasks") for _, module, at_top in imports(path) if at_top}
    back = []
    waiting = {module for module in top if is_below(module, {"mertk"}) and not is_below(module, {"mertk.tasks"})}
    seen = set(waiting)
    while waiting:
        path = (ROOT / waiting.pop().replace(".", "/")).with_suffix(".py")
        path = path if path.exists() else path.with_suffix("") / "__init__.py"
        found = {module for _, module, at_top in imports(path) if at_top and is_below(module, {"mertk"})}
        back += [f"{path.relative_to(ROOT)}: {module}" for module in found if is_below(module, {"mertk.tasks"})]
        waiting |= found - seen
        seen |= found
    assert back == []


def test_batch_and_small_helpers_are_light():
    for name in sorted(SMALL):
        path = ROOT / name.replace(".", "/")
        path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
        heavy = [module for _, module, at_top in imports(path) if at_top and is_below(module, HEAVY | {"numpy"})]
        assert heavy == [], path


def test_a_broken_rule_is_seen(tmp_path, monkeypatch):
    monkeypatch.setattr(f"{__name__}.ROOT", tmp_path)
    folder = tmp_path / "mertk" / "nn"
    folder.mkdir(parents=True)
    with pytest.raises(AssertionError, match="no file"):
        problems_of("mertk.losses")
    code = (
        "from mertk.errors import MertkError\ndef f():\n    import accelerate\n    from mertk.training import trainer\n"
    )
    (folder / "bad.py").write_text(code, encoding="utf-8")
    assert problems_of("mertk.nn") == [
        "mertk/nn/bad.py:3: mertk.nn must not import accelerate",
        "mertk/nn/bad.py:4: mertk.nn must not import mertk.training",
    ]
    code = '"""MOSI"""\n\ndef f(mosi_path="recipes/mosi/hscl"):\n    """SIMS"""\n    return "IEMOCAP"\n'
    (folder / "bad.py").write_text(code, encoding="utf-8")
    assert sorted(corpora_named_in("mertk.nn")) == ["mertk/nn/bad.py:3: mosi_path", "mertk/nn/bad.py:5: IEMOCAP"]
