"""Show a configuration as it is resolved, with the meaning, type and default of every key; or only check it.

Files are merged in their order, then settings. What is shown is a configuration file again; without any file, it is the
defaults. With --check nothing is shown but what is wrong with a configuration for training; exit code 1 then, else 0.
An argument of a class that has no default must be given, unless the data tell it (widths, classes).
"""

from __future__ import annotations

from mertk.cli import make_parser, program

EXAMPLE = """\
mertk config recipes/common/conf/foal.yaml training.epochs=10
mertk config --check mine.yaml"""


@program
def main(argv: list[str] | None = None) -> int:
    parser = make_parser(__doc__, EXAMPLE)
    parser.add_argument("--check", action="store_true", help="only check; say nothing when all is well")
    parser.add_argument(
        "words",
        nargs="*",
        metavar="YAML|key=value",
        help="configuration files, merged in order, and settings over them",
    )
    arguments = parser.parse_args(argv)

    from mertk.config import load_config
    from mertk.config.document import document
    from mertk.training.configured_classes import check_classes

    config = load_config(arguments.words)
    if arguments.check or "component" in config.model:  # a part of a configuration can be shown, too
        check_classes(config)
    if not arguments.check:
        print(document(config), end="")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
