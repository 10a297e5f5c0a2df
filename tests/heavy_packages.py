"""Packages too slow for the top of a module that programs import before they know what to do."""

HEAVY = {
    "torch",
    "transformers",
    "accelerate",
    "librosa",
    "soundfile",
    "av",
    "pandas",
    "sklearn",
    "matplotlib",
    "scipy",
    "gradio",
}
