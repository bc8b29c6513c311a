"""What a run's folder says of it, as one HTML file."""

from lit_gan.report.command import report

__all__ = ["report"]
