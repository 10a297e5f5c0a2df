"""What shells are told of the commands."""

from __future__ import annotations

import subprocess

import pytest

from mertk.bin.completion import main
from mertk.command import COMMANDS
from mertk.completion import completion_script

shtab = pytest.importorskip("shtab")

TRY = """
try() {
    COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMPREPLY=()
    $(complete -p mertk | sed 's/.*-F \\([^ ]*\\).*/\\1/') mertk "${COMP_WORDS[-1]}" "${COMP_WORDS[-2]}"
    printf '%s\\n' "${COMPREPLY[*]}"
}
try mertk cro
try mertk extract vi
try mertk cross-validate --proto
try mertk cross-validate --protocol clean-
try mertk predict --wei
try mertk stag
"""


def test_bash_completes_commands_options_and_choices():
    script = completion_script("bash")
    done = subprocess.run(["bash", "-c", script + TRY], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.splitlines() == ["cross-validate", "video", "--protocol", "clean-refit", "", ""]


@pytest.mark.parametrize("shell", ["zsh", "tcsh"])
def test_other_shells_have_every_command(shell, capsys):
    assert main([shell]) == 0
    script = capsys.readouterr().out
    assert all(name in script for name, command in COMMANDS.items() if not command.is_hidden and name != "new")


def test_a_shell_of_which_nothing_is_known_is_wrong_usage(capsys):
    with pytest.raises(SystemExit):
        main(["bsh"])
    assert "got 'bsh', expected bash, zsh or tcsh; did you mean bash?" in capsys.readouterr().err
