"""Report of a run as one HTML page, made from the files in the run's folder."""

from lit_gan.report.page import page
from lit_gan.report.run_folder import read

__all__ = ["page", "read"]
