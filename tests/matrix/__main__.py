"""`python -m tests.matrix`, from the project's folder: every backend meets every quirk; prints what was seen."""

import logging

from tests.matrix.fault_pairs import PAIRS
from tests.matrix.matrix import markdown, results

if __name__ == "__main__":
    logging.disable()
    with results() as seen:
        print(markdown(seen), markdown(seen, PAIRS), sep="\n")
