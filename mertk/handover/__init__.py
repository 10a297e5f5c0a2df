"""Handing trained models on (`mertk export`): which, what of them, their card, and where they go.

`members` finds the models, `package` writes the directory (`mertk.run.exported`), with `encoders` and `impersonal` for
what is left out of it, `card` its README.md, and `upload` brings it to the hub. `handing_on` puts these together.
"""
