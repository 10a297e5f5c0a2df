"""What a message tells the user to do must be possible from the program that he called: an option that it has.

An option by itself must be one of every program that can come to the message, recipes included, unless the message
begins with it: then it was given. An option of one program alone stands behind its command (`mertk evaluate --again`)
or its module's name, one of the recipes behind that word (`the recipes' --exp`).
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from mertk.command import COMMANDS, EXTRACTIONS
from mertk.data_prep.corpora import describe_corpora
from tests.unit.test_import_rules import ROOT, imports, module_name

OPTION = re.compile(r"(?<![\w-])--([a-z]\w*)")
NAMED = re.compile(
    r"\b((?:mertk\.bin|(?:mertk\.)?data_prep)\.[a-z_]+|mertk (?:(?:prepare|extract) )?[a-z_-]+) --([a-z]\w*)"
)
OF_RECIPES = re.compile(r"\brecipes?\b[^.;]*? --([a-z]\w*)")
#: what was given, as `--jobs 3: ...`
GIVEN = re.compile(r"^(\{\} )?--[a-z]\w*")
#: programs that are not ours, and what is said of their options
FOREIGN = re.compile(r"`[^`]*`|pip install [^;]*|--shm-size of Docker|(together with|\(without) --cpu")
#: a recipe resumes by itself, and sets runs of other settings aside before mertk train sees them
BEHIND_RECIPES = {"mertk.run.directory", "mertk.run.training", "mertk.bin.train"}
#: what the caller of mertk predict has not: the lists of a corpus, and the stages of a recipe
OF_CORPORA = re.compile(r"mend (wav\.scp|video\.scp|video_segments)|\(stage \d\)|run stage \d")
#: modules of which mertk predict uses nothing that reads a corpus
BEHIND_PREDICT = {f"mertk.data.{name}" for name in ("columns", "folds", "inputs", "manifest", "validation")}


@cache
def modules() -> dict[str, Path]:
    return {
        module_name(path): path for folder in ("mertk", "mertk/data_prep") for path in (ROOT / folder).rglob("*.py")
    }


@cache
def tree(module: str) -> ast.Module:
    return ast.parse(modules()[module].read_text(encoding="utf-8"))


@cache
def reached(module: str) -> frozenset[str]:
    """Modules of the project that a module imports, itself included, at any depth."""
    found, waiting = set(), [module]
    while waiting:
        name = waiting.pop()
        if name in modules() and name not in found:
            found.add(name)
            waiting += [imported for _, imported, _ in imports(modules()[name])]
    return frozenset(found)


@cache
def programs() -> frozenset[str]:
    return frozenset(
        name for name, path in modules().items() if '__name__ == "__main__"' in path.read_text(encoding="utf-8")
    )


@cache
def commands() -> dict[str, str]:
    """Modules by what a user types behind `mertk`."""
    found = {name: command.module for name, command in COMMANDS.items() if command.module}
    found |= {f"extract {name}": command.module for name, command in EXTRACTIONS.items()}
    prepared = {name.rpartition(".")[2]: name for name in programs() if re.fullmatch(r"mertk\.data_prep\.\w+", name)}
    prepared |= {name: corpus.module for name, corpus in describe_corpora().items()}
    return found | {f"prepare {name}": module for name, module in prepared.items()}


def program_of(named: str) -> str | None:
    """The module that a command, or the short name of a module, stands for."""
    if named.startswith("mertk "):
        return commands().get(named.removeprefix("mertk "))
    return named if named.startswith("mertk.") else f"mertk.{named}"


def declared(module: str) -> set[str]:
    """Options that are added to a parser in a module."""
    calls = (node for node in ast.walk(tree(module)) if isinstance(node, ast.Call) and node.args)
    first = {call.args[0].value for call in calls if isinstance(call.args[0], ast.Constant) and is_declaration(call)}
    return {name.removeprefix("--") for name in first if str(name).startswith("--")}


def is_declaration(call: ast.Call) -> bool:
    return getattr(call.func, "attr", getattr(call.func, "id", "")) in ("add_argument", "add")


@cache
def options_of(program: str) -> frozenset[str]:
    shared = [module for module in reached(program) if module not in programs()]
    return frozenset({"help"}.union(*map(declared, [program, *shared])))


@cache
def recipes() -> dict[str, str]:
    """By recipe, its shell code with what it sources."""
    found = {}
    for path in sorted((ROOT / "recipes").glob("**/run.sh")):
        found[path.parent.relative_to(ROOT / "recipes").as_posix()] = "".join(sourced(path, {}).values())
    return found


def sourced(path: Path, before: dict[Path, str]) -> dict[Path, str]:
    """The code of a script and of those of recipes/common that it sources, by file."""
    code = path.read_text(encoding="utf-8")
    found = before | {path: code}
    kind = re.search(r"\bkind=(\w+)", "".join(found.values()))
    for name in re.findall(r'^ *source .*?((?:corpora/)?[\w$]+\.sh)"$', code, re.MULTILINE):
        file = ROOT / "recipes/common" / name.replace("$kind", kind[1] if kind else "")
        found |= sourced(file, found) if file not in found else {}
    return found


def options_of_recipe(code: str) -> set[str]:
    return {"help"}.union(*(words.split() for words in re.findall(r'\b\w*(?:options|flags|lists)\+?="([\w ]+)"', code)))


@cache
def named_programs(module: str) -> frozenset[str]:
    """Programs that stand as constants in a module: by module, or by command where options stand beside it."""
    nodes = list(ast.walk(tree(module)))
    words = {node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    for node in nodes:
        items = getattr(node, "elts", ())
        constants = [item.value for item in items if isinstance(item, ast.Constant) and isinstance(item.value, str)]
        if any(text.startswith("-") for text in constants):
            words |= {commands()[text] for text in constants if text in commands()}
    return programs() & words


@cache
def programs_of_recipe(code: str) -> set[str]:
    """Programs that a recipe calls, and those that these call."""
    code = "\n".join(line for line in code.splitlines() if not line.lstrip().startswith("#"))
    short = {name: name.removeprefix("mertk.") if "data_prep" in name else name for name in programs()}
    waiting, found = {name for name in programs() if re.search(rf"\b{re.escape(short[name])}\b(?!\.)", code)}, set()
    # Commands of one word stand behind `-m mertk`, `--`, or an array such as "${launch[@]}", or begin such an array.
    before = r'(?:-m mertk |-- |@\]\}" |=\(\s*)'
    for typed, module in commands().items():
        if re.search(rf'{"" if " " in typed else before}\b{typed}(?=[ ")]|$)', code, re.MULTILINE):
            waiting.add(module)
    while waiting:
        program = waiting.pop()
        found.add(program)
        behind = reached(program) - {"mertk.command"}  # which names all of them
        waiting |= frozenset().union(*map(named_programs, behind)) - found
    return found & programs()


def texts(module: str) -> Iterator[tuple[int, str, bool]]:
    """Line and text of every string in a module but for documentation, and whether argparse tells it."""
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)

    def visit(node: ast.AST, of_parser: bool) -> Iterator[tuple[int, str, bool]]:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "EXAMPLE":
            return
        if isinstance(node, ast.JoinedStr):
            pieces = [part.value if isinstance(part, ast.Constant) else "{}" for part in node.values]
            yield node.lineno, "".join(pieces), of_parser
            return
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.lineno, node.value, of_parser
        if isinstance(node, ast.Call):
            of_parser = of_parser or is_declaration(node) or getattr(node.func, "attr", "") in ("error", "make_parser")
        children = list(ast.iter_child_nodes(node))
        if isinstance(node, documented) and ast.get_docstring(node) is not None:
            children.remove(node.body[0])
        for child in children:
            yield from visit(child, of_parser)

    yield from visit(tree(module), False)


def faults_of(module: str, told: str, of_parser: bool) -> Iterator[str]:
    """Options in a message that somebody who comes to read it does not have."""
    for named, option in NAMED.findall(told):
        program = program_of(named)
        if program not in programs():
            yield f"there is no {named}"
        elif option not in options_of(program):
            yield f"{named} has no --{option}"
    told = NAMED.sub("", FOREIGN.sub("", GIVEN.sub("", told)))
    for option in OF_RECIPES.findall(told):
        for recipe, code in recipes().items():
            if option not in options_of_recipe(code) and option not in ("features", "corpus"):
                yield f"{recipe} has no --{option}"
    for option in OPTION.findall(OF_RECIPES.sub("", told)):
        callers = {module} if of_parser and module in programs() else {p for p in programs() if module in reached(p)}
        for program in sorted(callers):
            if option not in options_of(program):
                yield f"{program} has no --{option}"
        if of_parser or module in BEHIND_RECIPES:
            continue
        for recipe, code in recipes().items():
            if callers & programs_of_recipe(code) and option not in options_of_recipe(code):
                yield f"{recipe} has no --{option}"


def test_there_are_messages_with_options():
    found = [told for module in modules() for _, told, _ in texts(module) if " " in told and OPTION.search(told)]
    assert len(found) > 50


@pytest.mark.parametrize("module", sorted(modules()))
def test_a_message_names_options_that_the_program_has(module):
    found = [
        f"{modules()[module].relative_to(ROOT)}:{line}: {fault}: {told!r}"
        for line, told, of_parser in texts(module)
        if " " in told
        for fault in dict.fromkeys(faults_of(module, told, of_parser))
    ]
    assert found == []


def test_predict_does_not_speak_of_a_corpus():
    found = [
        f"{modules()[module].relative_to(ROOT)}:{line}: {told!r}"
        for module in sorted(reached("mertk.bin.predict") - BEHIND_PREDICT)
        for line, told, _ in texts(module)
        if OF_CORPORA.search(told)
    ]
    assert found == []


def test_an_option_that_is_not_there_is_found():
    assert list(faults_of("mertk.data_prep.iemocap_corpus", "add --sessions", False)) == []
    assert list(faults_of("mertk.data_prep.iemocap_corpus", "add --no_such", False))[0].endswith("has no --no_such")
    assert "iemocap/foal has no --label_map" in list(
        faults_of("mertk.data_prep.iemocap_corpus", "or --label_map", False)
    )
    for named in ("mertk.bin.evaluate", "mertk evaluate"):
        assert list(faults_of("mertk.report.runs", f"score again with {named} --again", False)) == []
        assert list(faults_of("mertk.report.runs", f"{named} --anew", False)) == [f"{named} has no --anew"]
    assert list(faults_of("mertk.report.runs", "mertk extract video --side", False)) == []
    assert list(faults_of("mertk.report.runs", "mertk extract video --sid", False)) != []
    assert list(faults_of("mertk.report.runs", "mertk score --again", False)) == ["there is no mertk score"]


def test_programs_of_a_recipe_are_found_by_command_and_by_module():
    calls = 'launch=(launch --n 2)\nrun_stage 2 a -- "${launch[@]}" extract video --data d\n"$python" -m mertk doctor'
    found = programs_of_recipe(calls + "\nrun_stage 3 b -- mertk.bin.cross_validate\n# mertk.bin.plot, -- predict")
    names = {name.rpartition(".")[2] for name in found}
    assert names == {"launch", "extract_video", "doctor", "cross_validate", "train"}
