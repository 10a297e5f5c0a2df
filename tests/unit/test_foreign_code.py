"""Nothing that comes with a model runs: not Python beside its weights, not the module that a configuration names."""

import ast
import contextlib
import io
import json
import shutil
import sys
from pathlib import Path

import pytest
import torch

from mertk.components import build
from mertk.config import load_config, save_config
from mertk.encoders.audio import PretrainedAudioEncoder
from mertk.encoders.pretrained_pictures import PretrainedPictureEncoder
from mertk.encoders.text import PretrainedTextEncoder
from mertk.errors import MertkError
from mertk.features.clip_frame_encoder import ClipFrameEncoder
from mertk.features.colour_pictures import ColourPictures
from mertk.features.speech_states import SpeechStates
from mertk.features.tokenizer import Tokenizer
from mertk.training.model_directory import load_model
from tests.raw_corpus import write_bert, write_wavlm
from tests.video_corpus import write_clip

INFO = {"format": 1, "task": "regression", "classes": None, "facts": {}, "feature_records": {}, "miniature": True}
CODE = "from pathlib import Path\nPath(__file__).with_name('ran').touch()\n"


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """Small encoders by kind, whose folders the tests copy."""
    folder = tmp_path_factory.mktemp("weights")
    return {
        "audio": write_wavlm(folder / "wavlm"),
        "video": write_clip(folder / "clip"),
        "text": write_bert(folder / "bert"),
    }


@pytest.fixture
def trapped(weights, tmp_path, monkeypatch):
    """Make a copy of a kind's weights that brings code and says in each of its JSON files that it is needed."""
    monkeypatch.setattr(sys, "stdin", io.StringIO("y\n" * 10))  # whoever is asked says yes
    monkeypatch.setenv("HF_MODULES_CACHE", str(tmp_path / "modules"))

    def make(kind: str, **changes: object) -> Path:
        folder = tmp_path / kind
        shutil.copytree(weights[kind], folder)
        (folder / "evil.py").write_text(CODE)
        names = ("AutoConfig", "AutoModel", "AutoTokenizer", "AutoFeatureExtractor", "AutoImageProcessor")
        for path in folder.glob("*.json"):
            content = json.loads(path.read_text())
            if isinstance(content, dict) and path.name != "tokenizer.json":
                references = {name: [None, "evil.Evil"] if name == "AutoTokenizer" else "evil.Evil" for name in names}
                path.write_text(json.dumps(content | {"auto_map": references} | changes))
        return folder

    return make


LOADERS = {
    "audio": [PretrainedAudioEncoder, lambda path: PretrainedAudioEncoder(path, random_weights=True), SpeechStates],
    "video": [
        ColourPictures.as_seen_by,
        PretrainedPictureEncoder,
        lambda path: PretrainedPictureEncoder(path, random_weights=True),
        ClipFrameEncoder,
    ],
    "text": [Tokenizer, PretrainedTextEncoder, lambda path: PretrainedTextEncoder(path, random_weights=True)],
}


@pytest.mark.parametrize(("kind", "load"), [(kind, load) for kind, loads in LOADERS.items() for load in loads])
def test_python_beside_weights_is_not_run(kind, load, trapped, tmp_path):
    folder = trapped(kind)
    with contextlib.suppress(MertkError):  # transformers knows most of these architectures, and takes its own
        load(str(folder))
    assert not list(tmp_path.rglob("ran"))


def test_a_model_that_needs_its_own_code_is_refused_plainly(trapped, tmp_path):
    folder = trapped("text", tokenizer_class="EvilTokenizer", model_type="evil")
    with pytest.raises(MertkError, match=r"brings Python code of its own \(auto_map\), which is never run here"):
        Tokenizer(str(folder))
    assert not list(tmp_path.rglob("ran"))


@pytest.mark.parametrize("kind", ["audio", "video", "text"])
def test_kernels_of_the_hub_are_refused(kind, trapped):
    folder = trapped(kind, text_config={"_attn_implementation": "somebody/kernel"})
    with pytest.raises(MertkError, match=r"_attn_implementation is 'somebody/kernel', code from the hub"):
        LOADERS[kind][-1](str(folder))


@pytest.fixture
def foreign(tmp_path, monkeypatch):
    """A folder to work in, as one's own would be, with a module that says when it is imported."""
    (tmp_path / "helper.py").write_text(f"import torch\n{CODE}class Net(torch.nn.Module):\n    pass\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield tmp_path
    sys.modules.pop("helper", None)


def save_description(folder, **model):
    """A model directory as far as it is read before its classes are."""
    folder.mkdir()
    save_config(load_config([], ["loss_weights.ce=1"]), folder / "config.yaml")
    text = (folder / "config.yaml").read_text().replace("model: {}", f"model: {json.dumps(model)}")
    (folder / "config.yaml").write_text(text)
    (folder / "model.json").write_text(json.dumps(INFO))


@pytest.mark.parametrize(
    "model",
    [
        {"component": "helper.Net"},
        {"component": "mertk_models.Net"},
        {"component": "mertk.models.foal.FoalNet", "audio_encoder": {"component": "helper.Net"}},
        {"component": "mertk.models.foal.FoalNet", "audio_encoder": {"component": "helper.Net", "weights": "x"}},
    ],
)
def test_a_model_directory_imports_no_module_that_is_not_trusted(model, foreign):
    save_description(foreign / "best", **model)
    with pytest.raises(MertkError, match=r"best/config\.yaml: model.*no class of mertk.*--trust (helper|mertk_m)"):
        load_model(foreign / "best")
    assert not (foreign / "ran").exists()


def test_a_trusted_module_is_imported(foreign):
    assert type(build({"component": "helper.Net"}, "model", trusted=("helper",))).__name__ == "Net"
    with pytest.raises(MertkError, match="add --trust torch.nn.modules"):
        build({"component": "torch.nn.modules.Identity"}, "model", trusted=("helper",))


def test_names_are_text_even_where_they_look_like_a_variable(foreign, monkeypatch):
    monkeypatch.setenv("SECRET", "told")
    text = r"/data/\${x}/${oc.env:SECRET}/${"
    (foreign / "a.yaml").write_text(json.dumps({"run": {"output_dir": text}, "model": {"a": [text], "b": {"c": text}}}))
    config = load_config([foreign / "a.yaml"], [f"data.directory={text}"])
    save_config(config, foreign / "saved.yaml")
    for one in (config, load_config([foreign / "saved.yaml"])):
        assert [one.run.output_dir, one.data.directory, one.model["a"][0], one.model["b"]["c"]] == [text] * 4


def test_an_argument_of_a_component_is_text(foreign):
    class Named(torch.nn.Module):
        def __init__(self, name: str) -> None:
            super().__init__()
            self.name = name

    sys.modules[__name__].Named = Named
    assert build({"component": f"{__name__}.Named", "name": "${oc.env:HOME}"}, "model").name == "${oc.env:HOME}"


def test_every_loading_of_transformers_says_that_no_code_is_to_run(checkout):
    calls = []
    for path in sorted((checkout / "mertk").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                name = node.func.attr
                if name in ("from_pretrained", "from_config") or name.startswith("cached_"):
                    calls.append((path.name, node.lineno, ast.unparse(node)))
    assert calls
    assert [call for call in calls if "trust_remote_code=False" not in call[2]] == []
