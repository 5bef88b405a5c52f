"""The judge's backend, chosen before anything imports Keras."""

from __future__ import annotations

import os

os.environ.setdefault("KERAS_BACKEND", "torch")
