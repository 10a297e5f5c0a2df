"""Run programs of a checkout, as a user would."""

import os
import subprocess


def call(*command, checkout, code=0):
    """Run a program of the checkout; returns what it printed, both streams together."""
    environment = os.environ | {"PYTHONPATH": str(checkout)}
    done = subprocess.run(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=600
    )
    assert done.returncode == code, done.stdout
    return done.stdout
