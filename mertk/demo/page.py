"""The page: where a clip is recorded or uploaded, and what shows the answers."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mertk.data.columns import HALVES
from mertk.demo.answering import Clip, answer_clip
from mertk.demo.markup import about_markup, answer_markup, timeline_markup
from mertk.demo.turns import Turns
from mertk.run.timeline import USUAL_SECONDS

if TYPE_CHECKING:
    from gradio import Blocks
    from gradio.components import Component

    from mertk.run.prediction import Predictor

#: clips that are answered side by side, window by window in turn, and those that wait behind them
NUM_AT_ONCE, MOST_WAITING = 4, 32
#: between two states of a page
_SECONDS_APART = 0.5
#: a file that a visitor gave is looked for so often, and deleted when it is so old
_DELETE_EVERY_SECONDS, _KEEP_SECONDS = 600, 3600
#: in the place of an answer
_EMPTY, _WORKING, _STOPPED = (
    f'<p class="faint" role="status">{told}</p>' for told in ("The answer stands here.", "Listening …", "Stopped.")
)
#: what is asked of a camera: the page would take what slow machines lose pictures and sound over
_CAMERA = {"facingMode": "user", "width": {"ideal": 1280}, "height": {"ideal": 720}}
#: of a window of the timeline
_SHORTEST_SECONDS, _LONGEST_SECONDS = 1, 30


def build_page(predictor: Predictor, longest_seconds: float, turns: Turns) -> Blocks:
    """A page on which the models answer.

    Args:
        longest_seconds: what is longer is refused.
        turns: in which it computes.
    """
    import gradio

    def answer(file: str | None, text: str, half: str, window_seconds: float) -> Iterator[tuple[str, str, Any]]:
        clip = Clip(Path(file) if file else None, text or "", half, window_seconds)
        yield _WORKING, "", gradio.Button(visible=True)  # what was there is of another clip
        yield from turns.take(show(clip))

    def show(clip: Clip) -> Iterator[tuple[str, str, Any]]:
        shown = -_SECONDS_APART
        for findings in answer_clip(predictor, clip, longest_seconds):
            sys.stderr.write(findings.trace)
            if findings.is_done or time.monotonic() - shown >= _SECONDS_APART:
                shown = time.monotonic()
                stopping = gradio.Button(visible=not findings.is_done)
                yield answer_markup(predictor, findings), timeline_markup(predictor, findings), stopping

    deleting = (_DELETE_EVERY_SECONDS, _KEEP_SECONDS)
    with gradio.Blocks(title="mertk demo", analytics_enabled=False, delete_cache=deleting) as page:
        gradio.HTML(about_markup(predictor))
        with gradio.Row():
            with gradio.Column(scale=1, min_width=320):
                given = _add_inputs(predictor)
                start = gradio.Button("Answer", variant="primary")
                stop = gradio.Button("Stop", visible=False)
            with gradio.Column(scale=1, min_width=320):
                told = gradio.HTML(_EMPTY, padding=False)
        timeline = gradio.HTML(padding=False)
        hidden: dict[str, Any] = {"api_visibility": "private", "show_progress_on": [told]}
        begun = start.click(answer, given, [told, timeline, stop], concurrency_limit=NUM_AT_ONCE, **hidden)
        stopped = gradio.Button(visible=False), _STOPPED
        stop.click(lambda: stopped, None, [stop, told], cancels=[begun], queue=False, **hidden)
    return page.queue(max_size=MOST_WAITING, api_open=False)


def _add_inputs(predictor: Predictor) -> list[Component]:
    """File, text, half and window, of which those that the models have no use for do not show."""
    import gradio

    hears, sees, reads = (name in predictor.modalities for name in ("audio", "video", "text"))
    file: Component
    if sees:
        camera = gradio.WebcamOptions(mirror=False, constraints={"video": _CAMERA})
        file = gradio.Video(
            sources=["upload", "webcam"], label="Video of one speaker", include_audio=True, webcam_options=camera
        )
    else:
        sources: Any = ["upload", "microphone"]
        file = gradio.Audio(
            sources=sources, type="filepath", label="Sound of one speaker", visible=hears, editable=False, buttons=[]
        )
    text = gradio.Textbox(label="What is said", lines=2, visible=reads, info="Left empty, words are missing.")
    with gradio.Accordion("More", open=False, visible=sees or hears):
        halves = sorted(HALVES, reverse=True)
        half = gradio.Radio(halves, value="whole", label="Part of the picture with the speaker", visible=sees)
        window = gradio.Slider(
            _SHORTEST_SECONDS,
            _LONGEST_SECONDS,
            value=USUAL_SECONDS,
            step=1,
            label="Window of the timeline, seconds",
            info="One begins every third of it.",
        )
    return [file, text, half, window]
