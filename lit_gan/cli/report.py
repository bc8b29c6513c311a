"""The ``lit-gan report`` command: a run's logs and pictures as one HTML file."""

from pathlib import Path

__all__ = ["report"]


def report(run_folder: str, output: str | None = None, pictures: int = 40) -> Path:
    """Write the logs and pictures of a run to one HTML file, which a browser shows offline.

    Args:
        run_folder: folder of one run, lightning_logs/version_0 for instance.
        output: .html file to write; report.html in the run's folder if not given.
        pictures: largest number of pictures of each kind, spaced evenly over the run.

    Returns:
        The path of the file.

    Raises:
        FileNotFoundError: the folder holds no logs of a run.
        ValueError: a damaged file in the folder, ``output`` does not end in .html, or ``pictures`` is below 1.
    """
    from lit_gan._utils.arguments import at_least_one, expanded
    from lit_gan._utils.files import atomic_write
    from lit_gan._utils.version import __version__
    from lit_gan.cli.output import output_file
    from lit_gan.report import page, read

    at_least_one(pictures=pictures)
    folder = Path(expanded(run_folder))
    read_run = read(folder)
    path = output_file(folder / "report.html" if output is None else output, ".html")
    html = page(read_run, pictures, __version__)
    with atomic_write(path) as partial:
        partial.write_text(html, encoding="utf-8", errors="backslashreplace")
    print(f"Wrote {path} ({path.stat().st_size / 1e6:.1f} MB)")
    return path
