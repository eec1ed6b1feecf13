"""Entry point for uvicorn: `uvicorn app.main:app`."""

import logging
import sys

from app.application import create_app
from app.settings import SettingsError, load_settings

logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")

try:
    app = create_app(load_settings())
except SettingsError as error:
    # SystemExit, not a traceback: the line that names the variable is all that helps.
    sys.exit(f"cannot start: {error}")
