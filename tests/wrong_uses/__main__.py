"""Prints the table of wrong uses: what was done, the exception, what was said."""

import logging
import os
import tempfile
import warnings

from tests.wrong_uses import USES
from tests.wrong_uses.use import said

if __name__ == "__main__":
    warnings.simplefilter("ignore")
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    print("| wrong use | ends in | one sentence |\n|---|---|---|")
    for name, wrong in USES.items():
        with tempfile.TemporaryDirectory() as folder:
            os.chdir(folder)
            wrong.given()
            error, sentence = said(wrong)
            os.chdir("/")
        print(f"| {name} | {type(error).__name__} | {sentence.replace('|', chr(92) + '|').replace(folder, '…')} |")
