"""Write what a shell needs to complete the commands of mertk, their options, and the words that options take.

mertk completion bash > ~/.local/share/bash-completion/completions/mertk
mertk completion zsh > ~/.zfunc/_mertk        (a folder of fpath)
"""

from __future__ import annotations

from mertk.cli import make_parser, program

EXAMPLE = "mertk completion bash > ~/.local/share/bash-completion/completions/mertk"


@program
def main(argv: list[str] | None = None) -> int:
    parser = make_parser(__doc__, EXAMPLE)
    parser.add_argument("shell", choices=("bash", "zsh", "tcsh"), help="for which shell")
    arguments = parser.parse_args(argv)

    from mertk.completion import completion_script

    print(completion_script(arguments.shell))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
