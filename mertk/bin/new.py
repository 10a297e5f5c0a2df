"""Copy a recipe into a folder of your own, ready to edit: run.sh, its configuration, the published figures.

Without arguments: which recipes there are. The copy keeps its data and experiments below its own folder, in data/ and
exp/; what recipes share, the stages, stays in the package.
"""

from __future__ import annotations

from pathlib import Path

from mertk.cli import make_parser, program
from mertk.screen import say

EXAMPLE = """\
mertk new
mertk new iemocap/foal my_exp && bash my_exp/run.sh"""


@program
def main(argv: list[str] | None = None) -> int:
    parser = make_parser(__doc__, EXAMPLE)
    parser.add_argument("recipe", nargs="?", help="its name, such as iemocap/foal")
    parser.add_argument("folder", nargs="?", type=Path, help="where the copy goes; not there yet, or empty")
    parser.add_argument("--where", action="store_true", help="only say in which folder the recipes of the package are")
    arguments = parser.parse_args(argv)
    if (arguments.recipe is None) != (arguments.folder is None):
        parser.error("expected a recipe and a folder for the copy, or neither for the list of recipes")

    from mertk.run.recipes import RECIPES, copy_recipe, find_recipes

    if arguments.where:
        print(RECIPES)
    elif arguments.recipe is None:
        recipes = find_recipes()
        width = max(map(len, recipes))
        print("\n".join(f"{name:{width}}  {line}" for name, line in recipes.items()))
    else:
        copy_recipe(arguments.recipe.strip("/"), arguments.folder)
        say(f"{arguments.folder}: {arguments.recipe}, to be edited; bash {arguments.folder}/run.sh --help")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
