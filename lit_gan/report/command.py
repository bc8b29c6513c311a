"""``lit-gan report``: the folder of a run as one HTML file."""

from pathlib import Path

from lit_gan.arguments import at_least_one
from lit_gan.files import beside
from lit_gan.report.folder import read
from lit_gan.report.page import page

__all__ = ["report"]


def report(run_folder: str, output: str | None = None, pictures: int = 40) -> Path:
    """Write what a run logged as one HTML file, which needs neither a server nor a network.

    Args:
        run_folder: the folder of one run, ``lightning_logs/version_0`` for instance.
        output: the file; ``report.html`` in the run's folder where it is left out.
        pictures: of each kind at the most, evenly chosen over the run.

    Returns:
        The path of the file.

    Raises:
        FileNotFoundError: the folder holds nothing that a run logs.
        ValueError: a damaged file in it, ``output`` that is no .html, or fewer than one picture.
    """
    import lit_gan

    at_least_one(pictures=pictures)
    path = Path(output) if output else Path(run_folder) / "report.html"
    if path.suffix != ".html":
        raise ValueError(f"output={output!r} must be a file that ends in .html")
    html = page(read(Path(run_folder)), pictures, lit_gan.__version__)
    path.parent.mkdir(parents=True, exist_ok=True)
    with beside(path) as partial:
        partial.write_text(html, encoding="utf-8")
    print(f"Wrote {path} ({path.stat().st_size / 1e6:.1f} MB)")
    return path
