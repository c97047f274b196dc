"""Coverage-guided fuzzing of a reader; needs atheris (`pip install '.[fuzz]'`).

    python tests/fuzz/fuzz.py KIND [options of libFuzzer, such as -max_total_time=300]

A file that raises anything but a `HisfError` ends it, and is written to the working folder as crash-…
"""

import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["hisf"]):  # all that the readers import
    from targets import read, seeds

    import hisf.nn.weights  # noqa: F401 - which its reader imports when it is called


def main() -> None:
    """Fuzz one kind of file, from the seeds on."""
    kind, options = sys.argv[1], sys.argv[2:]
    with tempfile.TemporaryDirectory() as corpus:
        for number, seed in enumerate(seeds(kind)):
            Path(corpus, str(number)).write_bytes(seed)
        longest = f"-max_len={max(20000, 2 * max(map(len, seeds(kind))))}"  # a seed that is cut is none
        atheris.Setup([sys.argv[0], corpus, longest, *options], lambda content: read(kind, content))
        atheris.Fuzz()


if __name__ == "__main__":
    main()
