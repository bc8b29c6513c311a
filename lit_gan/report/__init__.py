"""A run as one HTML page: its folder read, its charts drawn, the page written."""

from lit_gan.report.page import page
from lit_gan.report.run_folder import read

__all__ = ["page", "read"]
