"""Show in a browser what models say of clips: record or upload one, see bars, and the timeline of a longer one.

The page is served to this machine alone, and is reached by the address that is printed; --host and --share let it leave
the machine. It needs no network. Models that see take videos, others sound; a model that reads is told what is said.
Several visitors are answered in turn. What they gave is deleted when the program ends, with Ctrl-C, or after an hour.
"""

from __future__ import annotations

from mertk.bin.model_arguments import add_model_arguments, open_predictor
from mertk.cli import make_parser, port, positive_float, positive_int, program

EXAMPLE = """\
mertk demo --model exp/ravdess/audio/log_mel/speaker-clean/fold_*/seed_1234/best
mertk demo --model MODEL --port 8000 --max_minutes 10
"""


@program
def main(argv: list[str] | None = None) -> int:
    parser = make_parser(__doc__, EXAMPLE)
    add_model_arguments(parser)
    add = parser.add_argument
    add("--host", default="127.0.0.1", help="address to serve from; 0.0.0.0 lets the whole network reach the page")
    add("--port", type=port, default=7860, help="to serve from")
    add("--share", action="store_true", help="ask Gradio for a public address: recordings pass its servers")
    add("--max_minutes", type=positive_float, default=30.0, metavar="MINUTES", help="longer recordings are refused")
    add("--max_megabytes", type=positive_int, default=500, metavar="MB", help="larger files are refused")
    arguments = parser.parse_args(argv)

    from mertk.demo.server import Place, check_gradio, serve

    place = Place(arguments.host, arguments.port, arguments.share)
    check_gradio()
    place.check()
    predictor = open_predictor(arguments, arguments.model)

    from mertk.demo.markup import style
    from mertk.demo.page import build_page

    longest_seconds = 60 * arguments.max_minutes
    serve(lambda turns: build_page(predictor, longest_seconds, turns), style(), place, arguments.max_megabytes)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
